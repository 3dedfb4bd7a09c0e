import { describe, expect, it } from "vitest";

import { LogLines, MARK_LINES, unseen } from "./logWindow";

describe("the last lines of a log", () => {
  it("are new behind the lines that are known", () => {
    expect(unseen([], ["a"])).toEqual(["a"]);
    expect(unseen(["a", "b"], ["a", "b", "c"])).toEqual(["c"]);
    expect(unseen(["a", "b"], ["a", "b"])).toEqual([]);
    expect(unseen(["a", "b"], ["x", "y"])).toEqual(["x", "y"]);
  });

  it("are found again when the window has moved on", () => {
    const written = Array.from({ length: 400 }, (_, number) => `line ${number}`);
    expect(unseen(written.slice(0, 200), written.slice(MARK_LINES, 300))).toEqual(written.slice(200, 300));
  });
});

describe("lines that arrive in pieces", () => {
  it("are told whole, and once", () => {
    const log = new LogLines();
    log.open(2);
    expect(log.take("one\ntw")).toEqual([]);
    expect(log.take("o\nthr")).toEqual(["one", "two"]);
    expect(log.take("ee\n")).toEqual(["three"]);
  });

  it("that were written while the connection was cut are told, and those before are not told again", () => {
    const log = new LogLines();
    log.open(1);
    expect(log.take("one\ntwo\nth")).toEqual(["one", "two"]);
    log.open(4);
    expect(log.take("one\ntwo\n")).toEqual([]);
    expect(log.take("three\nfour\nfive\n")).toEqual(["three", "four", "five"]);
  });

  it("come after a beginning without any", () => {
    const log = new LogLines();
    log.open(0);
    expect(log.take("")).toEqual([]);
    expect(log.take("one\n")).toEqual(["one"]);
  });
});

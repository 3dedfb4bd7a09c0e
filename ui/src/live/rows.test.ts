import { describe, expect, it, vi } from "vitest";

import { Rows } from "./rows";

describe("rows", () => {
  it("tell only those who listen to what was touched, once for a batch", () => {
    const rows = new Rows<number>();
    const [one, two, all] = [vi.fn(), vi.fn(), vi.fn()];
    rows.subscribe("one", one);
    rows.subscribe("two", two);
    rows.subscribeAll(all);
    rows.set("one", 1);
    rows.set("one", 2);
    expect(one).not.toHaveBeenCalled();
    rows.tell();
    expect([one, two, all].map((listener) => listener.mock.calls.length)).toEqual([1, 0, 1]);
    expect(rows.revision).toBe(1);
  });
  it("say nothing where nothing changed", () => {
    const rows = new Rows<number>();
    rows.set("one", 1);
    rows.tell();
    rows.set("one", 1);
    rows.delete("two");
    rows.tell();
    expect(rows.revision).toBe(1);
  });
  it("forget a listener that has left", () => {
    const rows = new Rows<number>();
    const listener = vi.fn();
    rows.subscribe("one", listener)();
    rows.set("one", 1);
    rows.tell();
    expect(listener).not.toHaveBeenCalled();
  });
  it("take ten thousand rows and a hundred events without copying the rest", () => {
    const rows = new Rows<number>();
    for (let index = 0; index < 10_000; index += 1) rows.set(`row-${index}`, index);
    rows.tell();
    const began = performance.now();
    for (let batch = 0; batch < 100; batch += 1) {
      rows.set(`row-${batch}`, -batch);
      rows.tell();
    }
    expect(performance.now() - began).toBeLessThan(50);
  });
});

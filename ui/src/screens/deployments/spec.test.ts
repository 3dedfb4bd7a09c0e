import { describe, expect, it } from "vitest";

import { type Draft, differences, patchOf, rebase, threeWay, yamlLines, yamlText } from "./spec";
import { parseSpec } from "./yaml";

const head = { name: "orders", blueprint: "postgres", provider: "process" };
const base: Draft = {
  members: 3,
  restart_policy: "never",
  resources: { memory_mb: 4096 },
  params: { version: 18, max_connections: 200, note: "yes" },
  labels: { team: "payments", tier: "silver" },
};
const draft: Draft = { ...base, members: 4, params: { version: 18, max_connections: 400, note: "yes" }, labels: { team: "payments" } };

describe("a draft against its base", () => {
  it("names what differs by path", () => {
    expect(differences(base, draft).map((one) => one.path)).toEqual(["members", "params.max_connections", "labels.tier"]);
  });
  it("becomes a merge patch in which what was removed is null", () => {
    expect(patchOf(base, draft)).toEqual({ members: 4, params: { max_connections: 400 }, labels: { tier: null } });
  });
  it("says inside of objects too what was removed", () => {
    const nested = { ...base, params: { limits: { soft: 1, hard: 2 } } };
    expect(patchOf(nested, { ...nested, params: { limits: { soft: 3 } } })).toEqual({ params: { limits: { hard: null, soft: 3 } } });
  });
  it("is nothing when nothing changed", () => {
    expect(patchOf(base, structuredClone(base))).toEqual({});
  });
});

describe("when somebody was faster", () => {
  const theirs: Draft = { ...base, params: { ...base.params, max_connections: 300 }, resources: { memory_mb: 8192 } };
  it("the draft's own changes go on top of theirs", () => {
    expect(rebase(base, draft, theirs)).toEqual({ ...theirs, members: 4, params: { version: 18, max_connections: 400, note: "yes" }, labels: { team: "payments" } });
  });
  it("only what both changed differently is a conflict", () => {
    const rows = threeWay(base, theirs, draft);
    expect(rows.filter((row) => row.conflict).map((row) => row.path)).toEqual(["params.max_connections"]);
    expect(rows.map((row) => row.path)).toContain("resources.memory_mb");
  });
});

describe("the YAML of a draft", () => {
  it("marks changed lines with what was there", () => {
    const lines = yamlLines(head, base, draft);
    expect(lines.filter((line) => line.changed).map((line) => line.note)).toEqual(["was 3", "was 200", "tier removed, was silver"]);
  });
  it("reads back as the same draft, also for words that look like something else", () => {
    const text = yamlText(yamlLines(head, base, draft));
    expect(text).toContain('note: "yes"');
    expect(parseSpec(text, head)).toEqual({ draft, error: null });
  });
  it("says what is wrong and where", () => {
    expect(parseSpec("members: [", head).error).toMatch(/^Line /);
    expect(parseSpec("memers: 3", head).error).toContain("There is no key memers");
    expect(parseSpec("name: other", head).error).toContain("name cannot be changed");
    expect(parseSpec("members: none", head).error).toContain("whole number");
    expect(parseSpec("params: 3", head).error).toContain("params must be a map");
  });
  it.each([
    ["members: *a", "Line 1: *a"],
    ["members: 3\nparams: &p\n  x: *p", "Line 2: &p"],
    ["params:\n  a: &a [x, x]\n  b: &b [*a, *a]\n  c: [*b, *b]", "Line 2: &a"],
    ["labels:\n  team: &t payments", "Line 2: &t"],
  ])("refuses a name for another place plainly, where it stands: %j", (text, said) => {
    expect(parseSpec(text, head).error).toMatch(new RegExp(`^${said.replace("*", "\\*")} `));
  });
  it("never fails over what is typed, however deep", () => {
    expect(parseSpec(`params: ${"[".repeat(20_000)}`, head).error).not.toBe("");
    expect(parseSpec(`params:\n  x: ${"[".repeat(20_000)}${"]".repeat(20_000)}`, head).draft).toBeNull();
  });
});

import { describe, expect, it } from "vitest";

import type { Instance } from "@/api/client";
import { lifecycleOf } from "@/lib/lifecycle";
import type { Held } from "@/live/merge";

import { arrange, hold, lastOrderFirst, type Line } from "./arrange";
import { viewsOf } from "./views";
import { joinSearch, matches, paramsOf, splitSearch, viewOf } from "./filters";

const table = lifecycleOf({
  statuses: [{ name: "running" }, { name: "stopping" }, { name: "stopped" }, { name: "error" }],
  moves: [{ operation: "stop", legal_from: ["running", "stopped", "error"], during: "stopping", done: "stopped" }],
  operations: [],
});

let born = 0;
const held = (name: string, status: string, more: Partial<Instance> = {}): Held => {
  born += 1;
  const record = {
    id: name,
    name,
    status,
    labels: {},
    current_operation: null,
    created_at: `2026-01-01T00:00:${String(born).padStart(2, "0")}Z`,
    ...more,
  } as unknown as Instance;
  return { record, version: 1, behind: false, readAt: 0, gone: null };
};
const names = (lines: readonly Line[]): string[] => lines.map((line) => line.id);

const fleet = [held("calm", "running"), held("broken", "error"), held("busy", "stopping"), held("newer", "stopped")];
const view = viewOf(new URLSearchParams());

describe("the order of the list", () => {
  it("puts first what needs a person, then what moves, then the rest with the newest first", () => {
    expect(names(arrange(fleet, view, table, 0))).toEqual(["broken", "busy", "newer", "calm"]);
  });
  it("takes an overdue operation for something that needs a person", () => {
    const late = held("late", "stopping", { current_operation: { done: false, stuck_at: "2026-01-01T00:00:00Z" } as Instance["current_operation"] });
    expect(arrange([late], view, table, Date.parse("2026-01-02"))[0]?.group).toBe("needs");
  });
  it("takes what billing wants and cannot have for something that needs a person", () => {
    expect(arrange([held("kept", "running", { notice: "billing cancelled its subscription" })], view, table, 0)[0]?.group).toBe("needs");
  });
  it("sorts by a column with numbers as numbers", () => {
    const many = [held("db-10", "running"), held("db-9", "running")];
    expect(names(arrange(many, { ...view, sort: "name" }, table, 0))).toEqual(["db-9", "db-10"]);
    expect(names(arrange(many, { ...view, sort: "name", descending: true }, table, 0))).toEqual(["db-10", "db-9"]);
  });
  it("comes out the same from the last order, and takes in what is new", () => {
    const rows = new Map(fleet.map((row) => [row.record.id, row]));
    const before = arrange(rows.values(), { ...view, sort: "name" }, table, 0).slice(0, 3).reverse();
    const again = [...lastOrderFirst(rows, [...before, { id: "left", group: "all" }])];
    expect(again.map((row) => row.record.id).slice(0, 3)).toEqual(names(before));
    expect(again).toHaveLength(fleet.length);
    expect(arrange(again, view, table, 0)).toEqual(arrange(fleet, view, table, 0));
  });
  it("shows only the statuses asked for, and tolerates one that nobody knows", () => {
    const odd = [...fleet, held("odd", "hibernating")];
    expect(names(arrange(odd, viewOf(new URLSearchParams("status=hibernating")), table, 0))).toEqual(["odd"]);
  });
});

describe("an order that is held", () => {
  const before = arrange(fleet, view, table, 0);
  const changed = [held("calm", "error"), ...fleet.slice(1)];
  const wanted = arrange(changed, view, table, 0);
  it("stays although a row belongs elsewhere, and counts it", () => {
    const { lines, moves } = hold(before, wanted);
    expect(names(lines)).toEqual(names(before));
    expect(moves).toBe(1);
  });
  it("drops what has left and adds what is new at the end of its group", () => {
    const { lines } = hold(before, [...wanted.filter((line) => line.id !== "busy"), { id: "fresh", group: "needs" }]);
    expect(names(lines)).toEqual(["broken", "fresh", "newer", "calm"]);
  });
  it("moves nothing when nothing changed", () => {
    expect(hold(before, before).moves).toBe(0);
  });
});

describe("views with a name", () => {
  it("are taken from the browser only as far as they are views", () => {
    expect(viewsOf('[{"name":"mine","search":"q=db"},{"name":4},null]')).toEqual([{ name: "mine", search: "q=db" }]);
    expect(viewsOf("{")).toEqual([]);
    expect(viewsOf(null)).toEqual([]);
  });
});

describe("the view in the address", () => {
  it("survives the way there and back", () => {
    const text = "q=db&label=team%3Dshop&status=running%2Cerror&provider=process&sort=name&desc=true";
    expect(paramsOf(viewOf(new URLSearchParams(text))).toString()).toBe(text);
  });
  it("reads labels out of the search text", () => {
    expect(splitSearch("team=shop db  tier=gold")).toEqual({ q: "db", label: "team=shop,tier=gold" });
    expect(joinSearch({ q: "db", label: "team=shop,tier=gold" })).toBe("db team=shop tier=gold");
  });
  it("matches names and labels as the server does", () => {
    const one = held("orders-db", "running", { labels: { team: "shop" } } as Partial<Instance>).record;
    expect(matches({ ...view.filter, q: "db", label: "team=shop" }, one)).toBe(true);
    expect(matches({ ...view.filter, label: "team=other" }, one)).toBe(false);
  });
});

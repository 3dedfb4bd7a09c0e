import { describe, expect, it } from "vitest";

import type { Event, Instance } from "@/api/client";

import { type Held, isNews, mergeEvent, mergeRecord } from "./merge";

const record = (version: number, status = "running"): Instance =>
  ({ id: "ins_1", version, status, lifecycle_state: status.toUpperCase() }) as unknown as Instance;
const event = (version: number | null, status: string | null, data: Record<string, unknown> = {}): Event =>
  ({ instance_id: "ins_1", version, status, lifecycle_state: null, data }) as unknown as Event;
const isFinal = (status: string): boolean => status === "over";
const take = (held: Held, ...events: Event[]): Held => events.reduce((now, one) => mergeEvent(now, one, isFinal, 1000), held);

const held = mergeRecord(undefined, record(5));

describe("a record that was read", () => {
  it("replaces an older one", () => {
    expect(mergeRecord(held, record(6, "stopping")).record.status).toBe("stopping");
  });
  it("is dropped when it is older than what the screen shows", () => {
    expect(mergeRecord(held, record(4, "creating"))).toBe(held);
  });
  it("is dropped when an event has already told of something newer", () => {
    const ahead = take(held, event(7, "stopped"));
    expect(mergeRecord(ahead, record(6, "stopping"))).toBe(ahead);
  });
  it("of the same version is taken, because health changes without a version", () => {
    const again = record(5);
    expect(mergeRecord(held, again).record).toBe(again);
  });
  it("catches up with an event", () => {
    const ahead = take(held, event(7, "stopped"));
    expect(ahead.behind).toBe(true);
    expect(mergeRecord(ahead, record(7, "stopped")).behind).toBe(false);
  });
});

describe("an event", () => {
  it("shows its status at once and marks the rest as old", () => {
    expect(take(held, event(6, "stopping"))).toMatchObject({ version: 6, behind: true, record: { status: "stopping" } });
  });
  it("that comes twice changes nothing", () => {
    const once = take(held, event(6, "stopping"));
    expect(take(once, event(6, "stopping"))).toBe(once);
  });
  it("that comes late changes nothing", () => {
    const later = take(held, event(8, "stopped"));
    expect(take(later, event(7, "stopping"))).toBe(later);
  });
  it("after a gap is shown, and the record is read again", () => {
    expect(take(held, event(9, "stopped"))).toMatchObject({ version: 9, behind: true, record: { status: "stopped" } });
  });
  it("gives the same end in any order", () => {
    const events = [event(6, "stopping"), event(7, "stopped"), event(8, "starting"), event(9, "running")];
    const orders = [events, [...events].reverse(), [events[2], events[0], events[3], events[1], events[2]].map((one) => one as Event)];
    for (const order of orders) expect(take(held, ...order)).toMatchObject({ version: 9, record: { status: "running" } });
  });
  it("of a status that nobody knows is shown as it is", () => {
    expect(take(held, event(6, "hibernating")).record.status).toBe("hibernating");
  });
  it("without a version or status says nothing about the record", () => {
    expect(take(held, event(null, "stopped"))).toBe(held);
    expect(take(held, event(6, null)).record.status).toBe("running");
  });
  it("that ends the life keeps the row for a moment, with its run", () => {
    expect(take(held, event(6, "over", { run_id: "run_1" })).gone).toEqual({ at: 1000, runId: "run_1" });
  });
  it("is news when it is newer, or of an instance nobody has read", () => {
    expect([isNews(held, event(6, "x")), isNews(held, event(5, "x")), isNews(undefined, event(1, "x"))]).toEqual([true, false, true]);
  });
});

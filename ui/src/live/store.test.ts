import { beforeEach, describe, expect, it, vi } from "vitest";

import type { Event, Instance, OperationForm } from "@/api/client";

import type { Ask } from "./optimism";
import { answered, asks, begin, distrust, flashes, forget, GONE_STAYS_MS, held, markGone, operations, startEmpty, takeEvents, takeOperations, takeRecords, withdrawn } from "./store";

const record = (version: number, status: string): Instance => ({ id: "ins_1", name: "demo", version, status, current_operation: null }) as unknown as Instance;
const event = (version: number, status: string, operation_id = "op_9"): Event =>
  ({ instance_id: "ins_1", version, status, operation_id, actor: "lena", lifecycle_state: null, data: {} }) as unknown as Event;
const ask: Ask = { instanceId: "ins_1", instanceName: "demo", action: "stop", label: "Stop", during: "stopping", baseStatus: "running", baseVersion: 5, key: "k", askedAt: 0, phase: "sent", operationId: null };

beforeEach(() => {
  startEmpty();
  takeRecords([record(5, "running")]);
});

describe("the store", () => {
  it("flashes a row that somebody else changed, and not one's own", () => {
    takeEvents([event(6, "stopping")]);
    expect(flashes.get("ins_1")).toMatchObject({ actor: "lena" });
    startEmpty();
    takeRecords([record(6, "stopping")]);
    begin([{ ...ask, baseVersion: 6 }]);
    answered("ins_1", "k", { operationId: "op_mine", version: 6 });
    takeEvents([event(7, "stopped", "op_mine")]);
    expect(flashes.size).toBe(0);
  });

  it("knows one's own change also when the event is faster than the answer", () => {
    begin([ask]);
    takeEvents([event(6, "stopping", "op_unknown_yet")]);
    expect(flashes.size).toBe(0);
    expect(asks.size).toBe(0);
  });

  it("takes a burst of events in any order and ends at the newest", () => {
    takeEvents([event(8, "starting"), event(6, "stopping"), event(9, "running"), event(7, "stopped"), event(9, "running")]);
    expect(held.get("ins_1")).toMatchObject({ version: 9, behind: true, record: { status: "running" } });
  });

  it("rolls back to what the server says when a click was refused", () => {
    begin([ask]);
    withdrawn("ins_1", "k");
    expect(asks.size).toBe(0);
    expect(held.get("ins_1")?.record.status).toBe("running");
  });

  it("ends a wait with the operation's own end", () => {
    begin([ask]);
    answered("ins_1", "k", { operationId: "op_1", version: 6 });
    takeOperations([{ id: "op_1", done: true, instance_ids: ["ins_1"] } as OperationForm]);
    expect(asks.size).toBe(0);
  });

  it("keeps a row that is gone until it is forgotten", () => {
    markGone("ins_1", "run_1");
    expect(held.get("ins_1")?.gone?.runId).toBe("run_1");
    forget("ins_1");
    expect(held.size).toBe(0);
  });

  it("lets what has ended leave after its time, drawn or not, and leaves it to whoever shows it", () => {
    vi.useFakeTimers();
    takeRecords([{ ...record(5, "running"), id: "ins_2" }, { ...record(5, "running"), id: "ins_3" }]);
    const stop = held.subscribe("ins_3", () => undefined);
    markGone("ins_1", null);
    markGone("ins_3", null);
    vi.advanceTimersByTime(GONE_STAYS_MS - 1_000);
    expect(held.size).toBe(3);
    vi.advanceTimersByTime(2_000);
    expect([...held.entries()].map(([id]) => id)).toEqual(["ins_2", "ins_3"]);
    stop();
    vi.advanceTimersByTime(GONE_STAYS_MS);
    expect([...held.entries()].map(([id]) => id)).toEqual(["ins_2"]);
    takeRecords([{ ...record(5, "running"), id: "ins_4" }]);
    markGone("ins_2", null);
    vi.advanceTimersByTime(GONE_STAYS_MS - 1_000);
    markGone("ins_4", null);
    vi.advanceTimersByTime(1_000);
    expect([...held.entries()].map(([id]) => id)).toEqual(["ins_4"]);
    vi.advanceTimersByTime(GONE_STAYS_MS - 1_000);
    expect(held.size).toBe(0);
    vi.useRealTimers();
  });

  it("ignores events of rows that nobody has read", () => {
    takeEvents([{ ...event(3, "running"), instance_id: "ins_2" }]);
    expect([...held.entries()].map(([id]) => id)).toEqual(["ins_1"]);
  });

  it("lets no older answer take an operation back", () => {
    const form = (more: Partial<OperationForm>, tries: { started_at: string; ended_at?: string }[] = []): OperationForm =>
      ({ id: "op_1", done: false, attempt: 1, started_at: null, cancel_requested: false, progress: { step: 1, total: 2 }, instance_ids: ["ins_1"], steps: [{ attempts: tries }], ...more }) as unknown as OperationForm;
    const first = { started_at: "1" };
    const ended = { started_at: "1", ended_at: "2" };
    const grows = [form({}), form({ started_at: "0" }), form({ started_at: "0" }, [first]), form({ started_at: "0" }, [ended]), form({ started_at: "0" }, [ended, { started_at: "3" }]), form({ attempt: 2 }), form({ done: true })];
    for (const [index, newer] of grows.entries()) {
      takeOperations([newer]);
      expect(operations.get("op_1")).toBe(newer);
      takeOperations(grows.slice(0, index));
      expect(operations.get("op_1")).toBe(newer);
    }
    const parkedNoMore = form({ done: true, parked_until: null });
    takeOperations([parkedNoMore]);
    expect(operations.get("op_1")).toBe(parkedNoMore);
    // Of a server that began anew each answer is right.
    distrust();
    takeOperations([grows[0] as OperationForm]);
    expect(operations.get("op_1")).toBe(grows[0]);
  });

  it("keeps what is under way or on the screen of the operations, and of those that are over no more than it needs", () => {
    const stop = operations.subscribe("op_1", () => undefined);
    for (let n = 0; n < 5_000; n += 1) takeOperations([{ id: `op_${n}`, done: n !== 2 } as OperationForm]);
    expect(operations.size).toBeLessThanOrEqual(2_000);
    expect(["op_0", "op_1", "op_2", "op_4999"].map((id) => operations.get(id) !== undefined)).toEqual([false, true, true, true]);
    stop();
  });

  it("takes an older record once the server has begun anew, and holds its buttons until then", () => {
    distrust();
    expect(held.get("ins_1")).toMatchObject({ behind: true, record: { status: "running" } });
    takeRecords([record(2, "stopped")]);
    expect(held.get("ins_1")).toMatchObject({ behind: false, version: 2, record: { status: "stopped" } });
  });
});

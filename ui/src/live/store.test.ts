import { beforeEach, describe, expect, it } from "vitest";

import type { Event, Instance, OperationForm } from "@/api/client";

import type { Ask } from "./optimism";
import { useLive } from "./store";

const record = (version: number, status: string): Instance => ({ id: "ins_1", name: "demo", version, status, current_operation: null }) as unknown as Instance;
const event = (version: number, status: string, operation_id = "op_9"): Event =>
  ({ instance_id: "ins_1", version, status, operation_id, actor: "lena", lifecycle_state: null, data: {} }) as unknown as Event;
const ask: Ask = { instanceId: "ins_1", instanceName: "demo", action: "stop", label: "Stop", during: "stopping", baseStatus: "running", baseVersion: 5, key: "k", askedAt: 0, phase: "sent", operationId: null };
const live = useLive.getState;

beforeEach(() => {
  useLive.setState({ held: {}, asks: {}, flashes: {}, moved: {}, operations: {}, mine: new Set() });
  live().takeRecords([record(5, "running")]);
});

describe("the store", () => {
  it("flashes a row that somebody else changed, and not one's own", () => {
    live().takeEvents([event(6, "stopping")]);
    expect(live().flashes["ins_1"]).toMatchObject({ actor: "lena" });
    useLive.setState({ flashes: {}, mine: new Set(["op_mine"]) });
    live().takeEvents([event(7, "stopped", "op_mine")]);
    expect(live().flashes).toEqual({});
  });

  it("knows one's own change also when the event is faster than the answer", () => {
    live().ask(ask);
    live().takeEvents([event(6, "stopping", "op_unknown_yet")]);
    expect(live().flashes).toEqual({});
    expect(live().asks).toEqual({});
  });

  it("takes a burst of events in any order and ends at the newest", () => {
    live().takeEvents([event(8, "starting"), event(6, "stopping"), event(9, "running"), event(7, "stopped"), event(9, "running")]);
    expect(live().held["ins_1"]).toMatchObject({ version: 9, behind: true, record: { status: "running" } });
  });

  it("rolls back to what the server says when a click was refused", () => {
    live().ask(ask);
    live().withdrawn("ins_1", "k");
    expect(live().asks).toEqual({});
    expect(live().held["ins_1"]?.record.status).toBe("running");
  });

  it("ends a wait with the operation's own end", () => {
    live().ask(ask);
    live().answered("ins_1", "k", { operationId: "op_1", version: 6 });
    live().takeOperations([{ id: "op_1", done: true } as OperationForm]);
    expect(live().asks).toEqual({});
  });

  it("keeps a row that is gone until it is forgotten", () => {
    live().markGone("ins_1", "run_1");
    expect(live().held["ins_1"]?.gone?.runId).toBe("run_1");
    live().forget("ins_1");
    expect(live().held).toEqual({});
  });

  it("ignores events of rows that nobody has read", () => {
    const before = live().held;
    live().takeEvents([{ ...event(3, "running"), instance_id: "ins_2" }]);
    expect(live().held).toEqual(before);
  });
});

import { describe, expect, it } from "vitest";

import type { Instance } from "@/api/client";

import { accepted, type Ask, begin, settleByOperation, settleByRecord, settleByStatus, unconfirmed, withdraw } from "./optimism";

const ask: Ask = {
  instanceId: "ins_1",
  instanceName: "demo",
  action: "stop",
  label: "Stop",
  during: "stopping",
  baseStatus: "running",
  baseVersion: 7,
  key: "k1",
  askedAt: 0,
  phase: "sent",
  operationId: null,
};
const asked = begin({}, ask);
const record = (over: Partial<Instance>): Instance => ({ id: "ins_1", status: "running", version: 8, current_operation: null, ...over }) as Instance;

describe("what a click shows", () => {
  it("stays until the server shows the move under way", () => {
    expect(settleByStatus(asked, "ins_1", "stopping", 8)).toEqual({});
  });

  it("ignores statuses that are not newer than the click", () => {
    expect(settleByStatus(asked, "ins_1", "stopping", 7)).toBe(asked);
    expect(settleByStatus(asked, "ins_1", "error", 6)).toBe(asked);
  });

  it("stays through the version that acceptance alone wrote", () => {
    expect(settleByStatus(asked, "ins_1", "running", 8)).toBe(asked);
  });

  it("goes when a result came faster than a look", () => {
    expect(settleByStatus(asked, "ins_1", "stopped", 9)).toEqual({});
  });

  it("stays while a delete waits behind the create that it pre-empts", () => {
    const pending = begin({}, { ...ask, action: "delete", during: "deleting", baseStatus: "creating" });
    expect(settleByStatus(pending, "ins_1", "creating", 8)).toBe(pending);
    expect(settleByStatus(pending, "ins_1", "deleting", 9)).toEqual({});
  });

  it("goes when a record newer than the acceptance no longer names the operation", () => {
    const answered = accepted(asked, "ins_1", "k1", { operationId: "op_1", version: 8 });
    expect(settleByRecord(answered, record({ version: 8 }))).toBe(answered);
    expect(settleByRecord(answered, record({ version: 9, current_operation: { id: "op_1" } as Instance["current_operation"] }))).toBe(answered);
    expect(settleByRecord(answered, record({ version: 10 }))).toEqual({});
  });

  it("goes with the end of its operation and of no other", () => {
    const answered = accepted(asked, "ins_1", "k1", { operationId: "op_1", version: 8 });
    expect(settleByOperation(answered, { id: "op_1", done: false })).toBe(answered);
    expect(settleByOperation(answered, { id: "op_2", done: true })).toEqual(answered);
    expect(settleByOperation(answered, { id: "op_1", done: true })).toEqual({});
  });

  it("is withdrawn by its own refusal only", () => {
    expect(withdraw(asked, "ins_1", "another")).toBe(asked);
    expect(withdraw(asked, "ins_1", "k1")).toEqual({});
  });

  it("assumes nothing when there is no answer", () => {
    expect(unconfirmed(asked, "ins_1", "k1")["ins_1"]).toMatchObject({ phase: "unconfirmed", key: "k1" });
  });
});

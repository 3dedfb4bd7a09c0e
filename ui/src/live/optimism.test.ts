import { describe, expect, it } from "vitest";

import type { Instance } from "@/api/client";

import { accepted, type Ask, settleByOperation, settleByRecord, settleByStatus, unconfirmed } from "./optimism";

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
const record = (over: Partial<Instance>): Instance => ({ id: "ins_1", status: "running", version: 8, current_operation: null, ...over }) as Instance;

describe("what a click shows", () => {
  it("stays until the server shows the move under way", () => {
    expect(settleByStatus(ask, "stopping", 8)).toBeNull();
  });

  it("ignores statuses that are not newer than the click", () => {
    expect(settleByStatus(ask, "stopping", 7)).toBe(ask);
    expect(settleByStatus(ask, "error", 6)).toBe(ask);
  });

  it("stays through the version that acceptance alone wrote", () => {
    expect(settleByStatus(ask, "running", 8)).toBe(ask);
  });

  it("goes when a result came faster than a look", () => {
    expect(settleByStatus(ask, "stopped", 9)).toBeNull();
  });

  it("stays while a delete waits behind the create that it pre-empts", () => {
    const pending = { ...ask, action: "delete", during: "deleting", baseStatus: "creating" };
    expect(settleByStatus(pending, "creating", 8)).toBe(pending);
    expect(settleByStatus(pending, "deleting", 9)).toBeNull();
  });

  it("goes when a record newer than the acceptance no longer names the operation", () => {
    const answered = accepted(ask, { operationId: "op_1", version: 8 });
    expect(settleByRecord(answered, record({ version: 8 }))).toBe(answered);
    expect(settleByRecord(answered, record({ version: 9, current_operation: { id: "op_1" } as Instance["current_operation"] }))).toBe(answered);
    expect(settleByRecord(answered, record({ version: 10 }))).toBeNull();
  });

  it("goes with the end of its operation and of no other", () => {
    const answered = accepted(ask, { operationId: "op_1", version: 8 });
    expect(settleByOperation(answered, { id: "op_1", done: false })).toBe(answered);
    expect(settleByOperation(answered, { id: "op_2", done: true })).toBe(answered);
    expect(settleByOperation(answered, { id: "op_1", done: true })).toBeNull();
  });

  it("assumes nothing when there is no answer", () => {
    expect(unconfirmed(ask)).toMatchObject({ phase: "unconfirmed", key: "k1" });
  });
});

import { describe, expect, it } from "vitest";

import type { OperationForm } from "@/api/client";

import { groupOf, meterOf, wanted } from "./groups";

const NOW = Date.parse("2026-11-21T14:00:00Z");
const at = (seconds: number): string => new Date(NOW + seconds * 1000).toISOString();
const operation = (more: Partial<OperationForm>): OperationForm =>
  ({ id: "op_1", kind: "stop", actor: "ana", deployment_name: "orders", instance_names: ["orders-2"], done: false, needs_you: false, status: "running", started_at: at(-10), stuck_at: at(50), finished_at: null, usual: null, parked_until: null, ...more }) as unknown as OperationForm;

describe("the groups of the operations screen", () => {
  it("are decided by deadline, listening and end", () => {
    expect(groupOf(operation({}), NOW)).toBe("moving");
    expect(groupOf(operation({ stuck_at: at(-1) }), NOW)).toBe("stuck");
    expect(groupOf(operation({ done: true, needs_you: true, status: "failed", parked_until: at(60) }), NOW)).toBe("parked");
    expect(groupOf(operation({ done: true, needs_you: true, status: "failed", parked_until: at(-60) }), NOW)).toBe("finished");
  });
  it("are searched by instance, kind, person and id", () => {
    for (const q of ["ORDERS-2", "stop", "ana", "op_1"]) expect(wanted(operation({}), { q, group: "open" }, NOW)).toBe(true);
    expect(wanted(operation({}), { q: "lena", group: "open" }, NOW)).toBe(false);
  });
});

describe("the meter", () => {
  it("turns amber past p95", () => {
    expect(meterOf(operation({ usual: { p50: 4, p95: 8 } }), NOW)?.bars.map((bar) => bar.kind)).toEqual(["now", "late"]);
  });
  it("is full and red past the deadline", () => {
    expect(meterOf(operation({ stuck_at: at(-1) }), NOW)).toMatchObject({ over: true, bars: [{ kind: "failed", width: 100 }] });
  });
  it("is absent before the start", () => {
    expect(meterOf(operation({ started_at: null }), NOW)).toBeNull();
  });
});

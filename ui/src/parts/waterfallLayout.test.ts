import { describe, expect, it } from "vitest";

import type { OperationForm } from "@/api/client";

import { waterfallOf } from "./waterfallLayout";

const T = Date.parse("2026-11-21T14:00:00Z");
const at = (seconds: number): string => new Date(T + seconds * 1000).toISOString();
type Steps = OperationForm["steps"];
const operation = (steps: Partial<Steps[number]>[], more: Partial<OperationForm> = {}): OperationForm =>
  ({ created_at: at(-1), started_at: at(0), finished_at: null, done: false, usual: null, steps: steps.map((step) => ({ attempts: [], ...step })), ...more }) as unknown as OperationForm;

describe("the waterfall", () => {
  it("shows failed attempts, the waits between them, and the one that runs", () => {
    const { rows } = waterfallOf(
      operation([{ status: "running", attempts: [{ started_at: at(0), ended_at: at(2), error: "throttled" }, { started_at: at(6), ended_at: null }] } as Steps[number]]),
      T + 10_000,
    );
    expect(rows[0]?.segments.map((segment) => segment.kind)).toEqual(["failed", "wait", "now"]);
    expect(rows[0]).toMatchObject({ attempts: 2, tookSeconds: 10, state: "now", error: "throttled" });
  });

  it("turns the part past p95 amber", () => {
    const { rows } = waterfallOf(operation([{ status: "running", usual: { p50: 2, p95: 4 }, attempts: [{ started_at: at(0), ended_at: null }] } as Steps[number]]), T + 6_000);
    expect(rows[0]?.segments.map((segment) => segment.kind)).toEqual(["now", "late"]);
    expect(rows[0]?.late).toBe(true);
  });

  it("draws what is to come dashed, one after the other from now, where the usual time is known", () => {
    const { rows, now } = waterfallOf(
      operation([
        { status: "pending", usual: { p50: 10, p95: 20 } },
        { status: "pending", usual: { p50: 5, p95: 6 } },
        { status: "pending" },
      ]),
      T + 5_000,
    );
    const [first, second, third] = rows.map((row) => row.segments[0]);
    expect(first?.left).toBeCloseTo(now ?? -1);
    expect(second?.left).toBeCloseTo((first?.left ?? 0) + (first?.width ?? 0));
    expect(third).toBeUndefined();
  });

  it("has no now once it is over, and nothing beyond its end", () => {
    const done = operation([{ status: "done", attempts: [{ started_at: at(0), ended_at: at(3) }] } as Steps[number]], { done: true, finished_at: at(3) });
    const { now, rows, ticks } = waterfallOf(done, T + 99_000);
    expect(now).toBeNull();
    expect(ticks.at(-1)?.seconds).toBe(3);
    expect(rows[0]?.segments[0]).toMatchObject({ left: 0, width: 100 });
  });

  it("keeps at most seven ticks whatever the length", () => {
    for (const seconds of [0.01, 0.7, 59, 600, 100_000]) {
      expect(waterfallOf(operation([]), T + seconds * 1000).ticks.length).toBeLessThanOrEqual(8);
    }
  });
});

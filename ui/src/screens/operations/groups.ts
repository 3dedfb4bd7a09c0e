/** Stuck first, then parked, then what runs, then what has just ended. Pure. */

import type { OperationForm } from "@/api/client";
import { isFailure } from "@/lib/look";
import { isParked } from "@/parts/OperationStatus";
import { lateness } from "@/parts/Status";

export type Group = "stuck" | "parked" | "moving" | "finished";

export const GROUPS: readonly { key: Group; title: string; note: string }[] = [
  { key: "stuck", title: "Stuck", note: "past their deadline, no confirmation" },
  { key: "parked", title: "Parked", note: "failed, waiting for you" },
  { key: "moving", title: "Running", note: "" },
  { key: "finished", title: "Finished", note: "" },
];

export function groupOf(operation: OperationForm, now: number): Group {
  if (lateness(operation, now) === "stuck") return "stuck";
  if (isParked(operation, now)) return "parked";
  return operation.done ? "finished" : "moving";
}

export interface OperationFilter {
  q: string;
  group: Group | "open" | "failed";
}

export function wanted(operation: OperationForm, filter: OperationFilter, now: number): boolean {
  const group = groupOf(operation, now);
  const text = [operation.kind, operation.deployment_name, operation.actor, operation.id, ...operation.instance_names].join(" ").toLowerCase();
  if (!text.includes(filter.q.toLowerCase())) return false;
  if (filter.group === "open") return true;
  if (filter.group === "failed") return isFailure(operation.status);
  return group === filter.group;
}

/** The meter: to 1.6 × p95, at most the deadline; each operation has its own scale. */
export interface Meter {
  bars: { kind: "now" | "late" | "failed" | "done"; left: number; width: number }[];
  usual: { left: number; width: number } | null;
  over: boolean;
}

export function meterOf(operation: OperationForm, now: number): Meter | null {
  if (!operation.started_at) return null;
  const start = new Date(operation.started_at).getTime();
  const end = operation.finished_at ? new Date(operation.finished_at).getTime() : now;
  const elapsed = (end - start) / 1000;
  const deadline = operation.stuck_at ? (new Date(operation.stuck_at).getTime() - start) / 1000 : null;
  const { usual } = operation;
  const over = !operation.done && deadline !== null && elapsed > deadline;
  const scale = Math.max(usual ? Math.min(usual.p95 * 1.6, deadline ?? Infinity) : (deadline ?? elapsed), operation.done ? elapsed : 0, 0.001);
  const at = (seconds: number): number => Math.min(100, Math.max(0, (seconds / scale) * 100));
  const failed = operation.done && isFailure(operation.status);
  const limit = usual && !operation.done && elapsed > usual.p95 ? usual.p95 : null;
  const bars: Meter["bars"] = over
    ? [{ kind: "failed", left: 0, width: 100 }]
    : limit === null
      ? [{ kind: failed ? "failed" : operation.done ? "done" : "now", left: 0, width: at(elapsed) }]
      : [
          { kind: "now", left: 0, width: at(limit) },
          { kind: "late", left: at(limit), width: at(elapsed) - at(limit) },
        ];
  return { bars, usual: usual ? { left: at(usual.p50), width: Math.max(0.8, at(usual.p95) - at(usual.p50)) } : null, over };
}

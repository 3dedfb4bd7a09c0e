/**
 * The only place that knows statuses and operations by name: which icon, hue and voice each has, and where a click on
 * an operation leads when it needs more than a click. Everything unknown gets a default and works all the same.
 */

import type { Health, Operation, OperationStatus, StepStatus, Status } from "@/api/client";

export type Hue = "sky" | "emerald" | "slate" | "amber" | "violet" | "indigo" | "red" | "zinc";
/** plain: settled and fine; moving: in progress; held: waits for somebody; alarm: needs somebody; gone: over. */
export type Voice = "plain" | "moving" | "held" | "alarm" | "gone";

export interface Look {
  icon: string;
  hue: Hue;
  voice: Voice;
  spins?: boolean;
  /** What ends the sentence "12 s …". */
  until?: string;
}

const STATUSES: Record<Status, Look> = {
  creating: { icon: "ring", hue: "sky", voice: "moving", spins: true },
  starting: { icon: "ring", hue: "sky", voice: "moving", spins: true },
  restarting: { icon: "loop", hue: "sky", voice: "moving", spins: true },
  stopping: { icon: "ring", hue: "slate", voice: "moving", spins: true },
  modifying: { icon: "sliders", hue: "indigo", voice: "moving" },
  updating: { icon: "up", hue: "indigo", voice: "moving" },
  promoting: { icon: "swap", hue: "indigo", voice: "moving" },
  backing_up: { icon: "backup", hue: "indigo", voice: "moving" },
  restoring: { icon: "restore", hue: "indigo", voice: "moving" },
  deleting: { icon: "bin", hue: "zinc", voice: "moving" },
  running: { icon: "disc", hue: "emerald", voice: "plain" },
  stopped: { icon: "square", hue: "slate", voice: "plain" },
  suspended: { icon: "pause", hue: "amber", voice: "held" },
  maintenance: { icon: "wrench", hue: "violet", voice: "held" },
  error: { icon: "warn", hue: "red", voice: "alarm" },
  terminated: { icon: "gone", hue: "zinc", voice: "gone" },
};

const UNKNOWN: Look = { icon: "unknown", hue: "zinc", voice: "plain" };

const HEALTH: Record<Health, string> = { healthy: "check", degraded: "half", unreachable: "broken", unknown: "unknown" };

const OPERATIONS: Partial<Record<Operation | "cancel", string>> = {
  retry: "loop",
  start: "disc",
  stop: "square",
  restart: "loop",
  modify: "sliders",
  update: "up",
  promote: "swap",
  backup: "backup",
  restore: "restore",
  suspend: "pause",
  maintenance_on: "wrench",
  delete: "bin",
  cancel: "x",
};

/** How an operation itself stands. */
const RESULTS: Record<OperationStatus, Look> = {
  pending: { icon: "ring", hue: "sky", voice: "moving", spins: true },
  running: { icon: "ring", hue: "sky", voice: "moving", spins: true },
  succeeded: { icon: "check", hue: "emerald", voice: "plain", until: "until it was done" },
  failed: { icon: "x", hue: "red", voice: "plain", until: "until it failed" },
  cancelled: { icon: "gone", hue: "zinc", voice: "plain", until: "until it was cancelled" },
};

/** Operations that are not over, as the server's filter calls them. */
export const OPEN_RESULTS: readonly OperationStatus[] = ["pending", "running"];
export const OVER_RESULTS: readonly OperationStatus[] = ["succeeded", "failed", "cancelled"];

const STEPS: Record<StepStatus, StepPhase> = { pending: "next", running: "now", done: "done", failed: "failed", skipped: "skipped" };

export type StepPhase = "done" | "failed" | "now" | "next" | "skipped";

export interface DisruptionLook {
  text: string;
  hue: Hue;
  icon: string;
  says: string;
  hint: string;
}

/** What a change of a specification does to those who use it. */
const DISRUPTIONS: Record<string, DisruptionLook> = {
  none: { text: "None", hue: "zinc", icon: "check", says: "Nothing stops; only the record changes.", hint: "nothing stops" },
  reload: { text: "Reload", hue: "indigo", icon: "sliders", says: "It is changed while it runs; connections stay.", hint: "a change needs no restart" },
  restart: { text: "Restart", hue: "indigo", icon: "loop", says: "Each touched member restarts; its connections end.", hint: "a change restarts it" },
  replace: { text: "Replace", hue: "amber", icon: "swap", says: "Each touched member is made anew in place of the old one.", hint: "a change replaces it" },
};

/** Operations whose parameters are a whole specification: they lead to the editor. */
const EDITED: ReadonlySet<string> = new Set<Operation>(["modify", "update"]);

function own<T>(table: Partial<Record<string, T>>, key: string): T | undefined {
  return Object.hasOwn(table, key) ? table[key] : undefined;
}

export function statusLook(status: string, inProgress = false): Look {
  return own<Look>(STATUSES, status) ?? (inProgress ? { ...UNKNOWN, voice: "moving" } : UNKNOWN);
}

/** A status in words; one that we do not know stays as the server wrote it. */
export function statusWord(status: string): string {
  return own<Look>(STATUSES, status) === undefined ? status : words(status);
}

export function healthIcon(health: string): string {
  return own<string>(HEALTH, health) ?? "unknown";
}

/** Where nothing beside it says that it is the health. */
export function healthWord(health: string): string {
  return healthIcon(health) === HEALTH.unknown ? `Health ${health}` : words(health);
}

export function operationIcon(action: string): string {
  return own<string>(OPERATIONS, action) ?? "flow";
}

export function resultLook(status: string): Look {
  return own<Look>(RESULTS, status) ?? UNKNOWN;
}

/** Accepted, and nothing has begun. */
export function isWaiting(status: string | undefined): boolean {
  return status === "pending";
}

/** Failed for good, whatever its workflow still listens to. */
export function isFailure(status: string): boolean {
  return resultLook(status).icon === RESULTS.failed.icon;
}

export function stepPhase(status: string): StepPhase {
  return own<StepPhase>(STEPS, status) ?? "next";
}

export function disruptionLook(name: string): DisruptionLook | undefined {
  return own<DisruptionLook>(DISRUPTIONS, name);
}

/** Whether the health wants a person's eyes. */
export function ailing(health: string): boolean {
  return health === "unreachable" || health === "degraded";
}

/** What is asked of many operations at once. */
export const MANY_WAYS = { again: "retry", end: "cancel" } as const;

export function isCancel(action: string): boolean {
  return action === MANY_WAYS.end;
}

export function leadsToEditor(action: string): boolean {
  return EDITED.has(action);
}

export function words(name: string): string {
  const text = name.replaceAll("_", " ");
  return text.charAt(0).toUpperCase() + text.slice(1);
}

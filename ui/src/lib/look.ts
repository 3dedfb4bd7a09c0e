/**
 * The only place that knows statuses and operations by name: which icon, hue and voice each has, and where a click on
 * an operation leads when it needs more than a click. Everything unknown gets a default and works all the same.
 */

import type { Health, Operation, Status } from "@/api/client";

export type Hue = "sky" | "emerald" | "slate" | "amber" | "violet" | "indigo" | "red" | "zinc";
/** plain: settled and fine; moving: in progress; held: waits for somebody; alarm: needs somebody; gone: over. */
export type Voice = "plain" | "moving" | "held" | "alarm" | "gone";

export interface Look {
  icon: string;
  hue: Hue;
  voice: Voice;
  spins?: boolean;
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

export function operationIcon(action: string): string {
  return own<string>(OPERATIONS, action) ?? "flow";
}

export function leadsToEditor(action: string): boolean {
  return EDITED.has(action);
}

export function words(name: string): string {
  const text = name.replaceAll("_", " ");
  return text.charAt(0).toUpperCase() + text.slice(1);
}

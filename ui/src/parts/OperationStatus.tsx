/** How an operation stands, in a word: solid when it is over, an alarm when it waits for somebody. */

import type { OperationForm, OperationStatus } from "@/api/client";
import { words } from "@/lib/look";

import { Icon, Spinner } from "./Icon";

interface Mark {
  icon: string;
  hue: string;
  voice: string;
  spins?: boolean;
}

const MARKS: Record<OperationStatus, Mark> = {
  pending: { icon: "ring", hue: "sky", voice: "moving", spins: true },
  running: { icon: "ring", hue: "sky", voice: "moving", spins: true },
  succeeded: { icon: "check", hue: "emerald", voice: "plain" },
  failed: { icon: "x", hue: "red", voice: "plain" },
  cancelled: { icon: "gone", hue: "zinc", voice: "plain" },
};
const DEFAULT: Mark = { icon: "unknown", hue: "zinc", voice: "plain" };
const PARKED: Mark = { icon: "pause", hue: "red", voice: "alarm" };

/** Failed, and its workflow still listens: the way on is a click away. */
export function isParked(operation: OperationForm, now: number): boolean {
  return operation.done && operation.needs_you && Boolean(operation.parked_until) && new Date(operation.parked_until ?? 0).getTime() > now;
}

export function OperationStatusMark({ operation, parked = false }: { operation: OperationForm; parked?: boolean }) {
  const mark = parked ? PARKED : Object.hasOwn(MARKS, operation.status) ? MARKS[operation.status] : DEFAULT;
  const waiting = !operation.done && !operation.started_at;
  return (
    <span className="status" data-hue={mark.hue} data-voice={mark.voice} data-pending={waiting ? "" : undefined}>
      {mark.spins ? <Spinner icon={mark.icon} /> : <Icon name={mark.icon} />}
      {parked ? "Parked" : words(operation.status)}
    </span>
  );
}

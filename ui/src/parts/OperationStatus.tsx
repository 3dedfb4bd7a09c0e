/** How an operation stands, in a word: solid when it is over, an alarm when it waits for somebody. */

import type { OperationForm } from "@/api/client";
import { type Look, resultLook, words } from "@/lib/look";

import { Icon, Spinner } from "./Icon";

const PARKED: Look = { icon: "pause", hue: "red", voice: "alarm" };

/** Failed, and its workflow still listens: the way on is a click away. */
export function isParked(operation: OperationForm, now: number): boolean {
  return operation.done && operation.needs_you && Boolean(operation.parked_until) && new Date(operation.parked_until ?? 0).getTime() > now;
}

export function OperationStatusMark({ operation, parked = false }: { operation: OperationForm; parked?: boolean }) {
  const mark = parked ? PARKED : resultLook(operation.status);
  const waiting = !operation.done && !operation.started_at;
  return (
    <span className="status" data-hue={mark.hue} data-voice={mark.voice} data-pending={waiting ? "" : undefined}>
      {mark.spins ? <Spinner icon={mark.icon} /> : <Icon name={mark.icon} />}
      {parked ? "Parked" : words(operation.status)}
    </span>
  );
}

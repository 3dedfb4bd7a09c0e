/** The merge rules. Pure, because they decide whether the screen tells the truth. */

import type { Event, Instance, OperationForm } from "@/api/client";

/** An instance as held here: the server's record, and what we know about how fresh it is. */
export interface Held {
  record: Instance;
  /** The version that the screen shows; ahead of `record.version` while a newer event waits for its record. */
  version: number;
  /** An event told of a newer version than the record: its buttons and details may be old until it is read. */
  behind: boolean;
  /** When the record was last read. */
  readAt: number;
  /** The life has ended; the row stays a moment and then leaves. */
  gone: { at: number; runId: string | null } | null;
}

/**
 * A record that was read. Older than what is held: dropped. Of the same version: taken, because a few things
 * (health, current operation, allowed actions) change without a new version, and the later read knows better.
 */
export function mergeRecord(held: Held | undefined, record: Instance, now = 0): Held {
  if (held !== undefined && record.version < held.version) return held;
  return { record, version: record.version, behind: false, readAt: now, gone: held?.gone ?? null };
}

/**
 * An event of the feed. Duplicates and late ones change nothing. A newer one shows its status at once and marks the
 * record as behind, whether or not versions between are missing: the next read closes any gap.
 */
export function mergeEvent(held: Held, event: Event, isFinal: (status: string) => boolean, now: number): Held {
  if (event.version === null || event.version <= held.version) return held;
  const status = event.status === null ? held.record.status : (event.status as Instance["status"]);
  const lifecycle_state = event.lifecycle_state ?? held.record.lifecycle_state;
  const gone = isFinal(status) ? { at: now, runId: runIdOf(event) } : null;
  return { ...held, record: { ...held.record, status, lifecycle_state }, version: event.version, behind: true, gone };
}

function runIdOf(event: Event): string | null {
  const runId = event.data["run_id"];
  return typeof runId === "string" ? runId : null;
}

/** Whether an event is news for what is held: then its record is worth reading. */
export function isNews(held: Held | undefined, event: Event): boolean {
  if (event.instance_id === null) return false;
  if (held === undefined) return true;
  return event.version === null || event.version > held.version;
}

/**
 * An operation that was read. It has no version, but what is over stays over, and tries are only ever added: the form
 * that tells of less was read before. A list that was slow, or the answer that a repeated request gets, is such a form.
 */
export function mergeOperation(held: OperationForm | undefined, read: OperationForm): OperationForm {
  if (held === undefined) return read;
  if (held.done !== read.done) return held.done ? held : read;
  if (held.done || held.attempt < read.attempt) return read;
  return held.attempt > read.attempt || toldBy(held) > toldBy(read) ? held : read;
}

/** How much has happened by then: each part only ever rises while the operation is under way. */
function toldBy({ steps = [], progress, started_at, cancel_requested }: Partial<OperationForm>): number {
  const tries = steps.flatMap((step) => step.attempts);
  const ended = tries.filter((one) => (one.ended_at ?? null) !== null).length;
  return tries.length + ended + (progress?.step ?? 0) + Number((started_at ?? null) !== null) + Number(cancel_requested ?? false);
}

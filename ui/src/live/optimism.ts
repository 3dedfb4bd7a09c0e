/**
 * What a click shows before the server does. In progress only, never settled: the status that the server's own table
 * gives for the move, drawn dashed, until the server shows its own or refuses. Pure: each rule takes one wait and
 * gives it back, changed, or null when it is over.
 */

import type { Instance, OperationForm } from "@/api/client";

export type Phase = "sent" | "accepted" | "unconfirmed";

export interface Ask {
  instanceId: string;
  instanceName: string;
  action: string;
  label: string;
  /** What the table shows while this move runs; null for moves that are one transaction. */
  during: string | null;
  /** What the screen showed when it was asked. After the 202 the version is the one that acceptance wrote. */
  baseStatus: string;
  baseVersion: number;
  key: string;
  askedAt: number;
  phase: Phase;
  operationId: string | null;
}

export function accepted(ask: Ask, answer: { operationId: string | null; version: number | null }): Ask {
  return { ...ask, phase: "accepted", operationId: answer.operationId, baseVersion: Math.max(ask.baseVersion, answer.version ?? 0) };
}

/** No answer, or a 5xx: it may or may not have arrived. It stays pending under the same key; nothing is assumed. */
export function unconfirmed(ask: Ask): Ask {
  return { ...ask, phase: "unconfirmed" };
}

/** A newer status ends the wait when it is the move under way, or simply no longer what was there before the click. */
export function settleByStatus(ask: Ask, status: string, version: number): Ask | null {
  if (version <= ask.baseVersion) return ask;
  return status === ask.during || status !== ask.baseStatus ? null : ask;
}

/** A record newer than the acceptance that no longer names the operation: it was over before anybody looked. */
export function settleByRecord(ask: Ask, record: Pick<Instance, "version" | "current_operation">): Ask | null {
  if (ask.operationId === null || record.version <= ask.baseVersion) return ask;
  return record.current_operation?.id === ask.operationId ? ask : null;
}

/** The end of the operation ends the wait, whatever was seen on the way. */
export function settleByOperation(ask: Ask, operation: Pick<OperationForm, "id" | "done">): Ask | null {
  return operation.done && ask.operationId === operation.id ? null : ask;
}

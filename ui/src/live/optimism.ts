/**
 * What a click shows before the server does. In progress only, never settled: the status that the server's own table
 * gives for the move, drawn dashed, until the server shows its own or refuses.
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

export type Asks = Readonly<Record<string, Ask>>;

export function begin(asks: Asks, ask: Ask): Asks {
  return { ...asks, [ask.instanceId]: ask };
}

export function accepted(asks: Asks, instanceId: string, key: string, answer: { operationId: string | null; version: number | null }): Asks {
  return change(asks, instanceId, key, (ask) => ({
    ...ask,
    phase: "accepted",
    operationId: answer.operationId,
    baseVersion: Math.max(ask.baseVersion, answer.version ?? 0),
  }));
}

/** No answer, or a 5xx: it may or may not have arrived. It stays pending under the same key; nothing is assumed. */
export function unconfirmed(asks: Asks, instanceId: string, key: string): Asks {
  return change(asks, instanceId, key, (ask) => ({ ...ask, phase: "unconfirmed" }));
}

/** Refused, or over: what the server says shows again. */
export function withdraw(asks: Asks, instanceId: string, key?: string): Asks {
  const ask = asks[instanceId];
  if (ask === undefined || (key !== undefined && ask.key !== key)) return asks;
  const { [instanceId]: _over, ...rest } = asks;
  return rest;
}

/** A newer status ends the wait when it is the move under way, or simply no longer what was there before the click. */
export function settleByStatus(asks: Asks, instanceId: string, status: string, version: number): Asks {
  const ask = asks[instanceId];
  if (ask === undefined || version <= ask.baseVersion) return asks;
  return status === ask.during || status !== ask.baseStatus ? withdraw(asks, instanceId) : asks;
}

/** A record newer than the acceptance that no longer names the operation: it was over before anybody looked. */
export function settleByRecord(asks: Asks, record: Instance): Asks {
  const ask = asks[record.id];
  if (ask === undefined || ask.operationId === null || record.version <= ask.baseVersion) return asks;
  return record.current_operation?.id === ask.operationId ? asks : withdraw(asks, record.id);
}

/** The end of the operation ends the wait, whatever was seen on the way. */
export function settleByOperation(asks: Asks, operation: Pick<OperationForm, "id" | "done">): Asks {
  if (!operation.done) return asks;
  const over = Object.values(asks).filter((ask) => ask.operationId === operation.id);
  return over.reduce((left, ask) => withdraw(left, ask.instanceId), asks);
}

function change(asks: Asks, instanceId: string, key: string, how: (ask: Ask) => Ask): Asks {
  const ask = asks[instanceId];
  return ask === undefined || ask.key !== key ? asks : { ...asks, [instanceId]: how(ask) };
}

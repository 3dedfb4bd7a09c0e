/** From a click to the truth: show the move at once, ask once under one key, roll back when refused, never assume. */

import { type AcceptedInstance, type BatchRow, freshKey, type Instance, instancesAct, instancesBatch } from "@/api/client";
import { mayHaveHappened, NoAnswer, NotOurs, Refusal, worthRetrying } from "@/api/problems";
import { useSession } from "@/api/session";
import { announce } from "@/lib/announce";
import { duringOf, lifecycleNow } from "@/lib/lifecycle";
import { say, unsay } from "@/lib/toasts";

import { sayFailure, sayMissed, whyUnknown } from "./failure";
import type { Ask } from "./optimism";
import { readInstance, readOperation } from "./queries";
import { answered, asks, begin, held, takeOperations, takeRecords, unanswered, withdrawn } from "./store";

const TRY_AGAIN_MS = [1_000, 3_000, 8_000];
/** This long after the 202 without a sign of it, the server is asked. */
const QUIET_MS = 10_000;
/** What nobody answered is asked about again until somebody does. */
const LOOK_AGAIN_MS = 5_000;

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

function labelOf(instance: Instance, action: string): string {
  return instance.allowed_actions.find((one) => one.action === action)?.label ?? action;
}

function wish(instance: Instance, action: string, key: string): Ask {
  return {
    instanceId: instance.id,
    instanceName: instance.name,
    action,
    label: labelOf(instance, action),
    during: duringOf(lifecycleNow(), action, instance.status),
    baseStatus: instance.status,
    baseVersion: instance.version,
    key,
    askedAt: Date.now(),
    phase: "sent",
    operationId: null,
  };
}

export interface Extra {
  params?: Record<string, unknown>;
}

/** One action on one instance. Resolves when the server has answered or will not. */
export async function act(instance: Instance, action: string, extra: Extra = {}): Promise<boolean> {
  const key = freshKey();
  const label = labelOf(instance, action);
  begin([wish(instance, action, key)]);
  announce(`${label} of ${instance.name} asked`);
  try {
    const request = { path: { key: instance.id }, headers: { "Idempotency-Key": key }, body: { action, reason: "manual" as const, ...extra } };
    const answer = await askUntilAnswered(
      instance.name,
      key,
      () => instancesAct(request),
      () => unanswered(instance.id, key),
    );
    take(instance.id, key, answer.data);
    return true;
  } catch (error) {
    giveUp(instance, key, error);
    // What may have happened is said once the server was asked.
    if (!mayHaveHappened(error)) sayFailure({ id: key, label, whom: instance.name }, error);
    return false;
  }
}

/** Again under the same key while nobody answers, so that it cannot happen twice. */
export async function askUntilAnswered<T>(whom: string, key: string, request: () => Promise<T>, onSilence?: () => void): Promise<T> {
  const who = useSession.getState().token;
  for (let tries = 0; ; tries += 1) {
    try {
      const answer = await request();
      unsay(key);
      return answer;
    } catch (error) {
      const wait = TRY_AGAIN_MS[tries];
      if (wait === undefined || !worthRetrying(error)) {
        // It is not asked again any more: what became of it is said by who asked.
        unsay(key);
        throw error;
      }
      onSilence?.();
      sayUnsure(whom, key);
      await pause(wait);
      if (useSession.getState().token !== who) throw new NotOurs();
    }
  }
}

function take(instanceId: string, key: string, answer: Partial<AcceptedInstance>): void {
  const { operation } = answer;
  answered(instanceId, key, { operationId: operation?.id ?? null, version: answer.instance?.version ?? null });
  if (answer.instance) takeRecords([answer.instance]);
  if (operation) takeOperations([operation]);
  setTimeout(() => void lookAfter(instanceId, key), QUIET_MS);
}

/** Nothing seen since: ask, rather than show a wish for ever. */
export async function lookAfter(instanceId: string, key?: string): Promise<void> {
  const ask = asks.get(instanceId);
  if (ask === undefined || (key !== undefined && ask.key !== key)) return;
  const [read] = await Promise.allSettled([
    readInstance(instanceId),
    ...(ask.operationId === null ? [] : [readOperation(ask.operationId)]),
  ]);
  if (ask.phase !== "unconfirmed" || asks.get(instanceId)?.key !== ask.key) return;
  if (read.status === "rejected") {
    setTimeout(() => void lookAfter(instanceId, ask.key), LOOK_AGAIN_MS);
    return;
  }
  // What was never answered and is read again is as the server says: had it arrived, the record would have moved on.
  withdrawn(instanceId, ask.key);
  noteMissed(ask, held.get(instanceId)?.version === ask.baseVersion);
}

/** By the key of the request, which may have been for many: why nobody knows, and who was found as before. */
const missed = new Map<string, { why: string; names: string[] }>();

function noteMissed(ask: Ask, asBefore: boolean): void {
  const { why, names } = missed.get(ask.key) ?? { why: whyUnknown(null), names: [] };
  if (asBefore) names.push(ask.instanceName);
  const open = [...asks.values()].some((one) => one.key === ask.key);
  if (open) missed.set(ask.key, { why, names });
  else missed.delete(ask.key);
  if (asBefore) sayMissed(ask.key, ask.label, { why, names });
}

/** The truth for a row that nobody confirmed: what was refused is taken back, what may have happened is looked after. */
function giveUp(instance: Instance, key: string, error: unknown): void {
  if (error instanceof NotOurs) return;
  if (mayHaveHappened(error)) {
    if (!missed.has(key)) missed.set(key, { why: whyUnknown(error), names: [] });
    unanswered(instance.id, key);
    return void lookAfter(instance.id, key);
  }
  withdrawn(instance.id, key);
  void readInstance(instance.id).catch(() => undefined);
}

function sayUnsure(whom: string, key: string): void {
  say({
    id: key,
    tone: "unsure",
    title: "No answer yet",
    detail: `The request for ${whom} may or may not have arrived. Asking again with the same key, so it cannot happen twice.`,
  });
}

export interface RowResult {
  instance: Instance;
  row: BatchRow | null;
  error: unknown;
}

/** What the server takes in one request. */
export const MOST_PER_REQUEST = 200;

/** One action on many: one request (per 200), a result for each row. */
export async function actOnMany(instances: readonly Instance[], action: string): Promise<RowResult[]> {
  const results: RowResult[] = [];
  for (let from = 0; from < instances.length; from += MOST_PER_REQUEST) {
    results.push(...(await actOnSome(instances.slice(from, from + MOST_PER_REQUEST), action)));
  }
  return results;
}

async function actOnSome(instances: readonly Instance[], action: string): Promise<RowResult[]> {
  const key = freshKey();
  begin(instances.map((instance) => wish(instance, action, key)));
  announce(`${instances[0] ? labelOf(instances[0], action) : action} of ${instances.length} asked`);
  try {
    const request = { headers: { "Idempotency-Key": key }, body: { action, ids: instances.map((one) => one.id), reason: "manual" as const } };
    const { data } = await askUntilAnswered(
      instances.length === 1 ? (instances[0]?.name ?? "") : `${instances.length} instances`,
      key,
      () => instancesBatch(request),
      () => instances.forEach((one) => unanswered(one.id, key)),
    );
    const rows = new Map(data.items.map((row) => [row.id, row]));
    return instances.map((instance) => takeRow(instance, key, rows.get(instance.id) ?? null));
  } catch (error) {
    for (const instance of instances) giveUp(instance, key, error);
    return instances.map((instance) => ({ instance, row: null, error }));
  }
}

function takeRow(instance: Instance, key: string, row: BatchRow | null): RowResult {
  const error = row === null ? new NoAnswer(null) : row.problem ? new Refusal(row.problem) : null;
  if (row?.operation) take(instance.id, key, { operation: row.operation });
  else giveUp(instance, key, error);
  return { instance, row, error };
}

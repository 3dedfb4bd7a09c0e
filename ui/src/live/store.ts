/** One owner for each instance's record, for what was asked and not yet seen, and for how the link stands. */

import { create } from "zustand";

import type { Event, Instance, OperationForm } from "@/api/client";
import { lifecycleNow } from "@/lib/lifecycle";

import type { Link } from "./feed";
import { type Held, mergeEvent, mergeOperation, mergeRecord } from "./merge";
import { accepted, type Ask, settleByOperation, settleByRecord, settleByStatus, unconfirmed } from "./optimism";
import { Rows, useRevision, useRow } from "./rows";

/** How long a finished life stays in its list, grey, with its way to History. */
export const GONE_STAYS_MS = 10_000;

/** More operations than any screen lists; past the first bound those that are over leave, down to the second. */
const MOST_OPERATIONS = 2_000;
const LEFT_OPERATIONS = 1_500;

export interface Moved {
  status: string;
  at: number;
  /** It has settled since. */
  over: boolean;
}

export interface Flash {
  at: number;
  actor: string;
}

interface LinkState {
  link: Link;
  /** The server shows records and operations on the line whenever they look different: nothing need be polled. */
  told: boolean;
  setLink: (link: Link) => void;
  setTold: (told: boolean) => void;
}

const NO_LINK: Link = { state: "connecting", heardAt: null, nextTryAt: null };

export const useLink = create<LinkState>((set) => ({
  link: NO_LINK,
  told: false,
  setLink: (link) => set({ link }),
  setTold: (told) => set((state) => (state.told === told ? state : { told })),
}));

/** Instances by id. */
export const held = new Rows<Held>();
/** Operations as last read, by id. */
export const operations = new Rows<OperationForm>();
/** What was asked from this page and is not seen yet, by instance. */
export const asks = new Rows<Ask>();
/** Rows that somebody else changed just now, by instance. */
export const flashes = new Rows<Flash>();
/** The last in-progress status that each row went through, and when it was first heard of. */
const moved = new Rows<Moved>();
/** Operations that this page started, to tell our own changes from others'. */
const mine = new Set<string>();
/** Operations as they were before the server's records went back. */
const doubted = new Set<string>();

function tellAll(): void {
  for (const rows of [asks, moved, flashes, operations, held]) rows.tell();
}

function settle(id: string, rule: (ask: Ask) => Ask | null): void {
  const ask = asks.get(id);
  const left = ask === undefined ? null : rule(ask);
  if (left === null) asks.delete(id);
  else asks.set(id, left);
}

function change(id: string, key: string, how: (ask: Ask) => Ask): void {
  settle(id, (ask) => (ask.key === key ? how(ask) : ask));
  tellAll();
}

export function takeRecords(records: readonly Instance[]): void {
  for (const record of records) {
    const merged = mergeRecord(held.get(record.id), record, Date.now());
    held.set(record.id, merged);
    note(record.id, merged.record.status);
    if (merged.record !== record) continue;
    settle(record.id, (ask) => settleByStatus(ask, record.status, record.version));
    settle(record.id, (ask) => settleByRecord(ask, record));
  }
  tellAll();
}

export function takeEvents(events: readonly Event[]): void {
  for (const event of events) takeEvent(event);
  tellAll();
}

function takeEvent(event: Event): void {
  const id = event.instance_id;
  const before = id === null ? undefined : held.get(id);
  if (id === null || before === undefined) return;
  const after = mergeEvent(before, event, (status) => lifecycleNow().final.has(status), Date.now());
  if (after === before) return;
  held.set(id, after);
  note(id, after.record.status);
  // Before the wait ends, or our own change would look like somebody else's.
  if (before.record.status !== after.record.status && !isOurs(event)) flashes.set(id, { at: Date.now(), actor: event.actor });
  settle(id, (ask) => settleByStatus(ask, after.record.status, after.version));
  if (after.gone !== null) leaveSoon();
}

export function takeOperations(read: readonly OperationForm[]): void {
  for (const operation of read) {
    const known = doubted.delete(operation.id) ? operation : mergeOperation(operations.get(operation.id), operation);
    operations.set(operation.id, known);
    if (!known.done) continue;
    for (const id of known.instance_ids ?? []) settle(id, (ask) => settleByOperation(ask, known));
  }
  if (operations.size > MOST_OPERATIONS) forgetOver();
  tellAll();
}

/** A page that is open for weeks: what was over first, and is on no screen, is read again should anybody ask. */
function forgetOver(): void {
  for (const [id, { done }] of operations.entries()) {
    if (operations.size <= LEFT_OPERATIONS) return;
    if (!done || operations.isWatched(id)) continue;
    for (const rows of [operations, mine, doubted]) rows.delete(id);
  }
}

/** Of an id, or of a living instance's name. */
export function idOf(key: string): string | null {
  if (held.get(key) !== undefined) return key;
  for (const [id, row] of held.entries()) if (row.record.name === key && row.gone === null) return id;
  return null;
}

export function markGone(id: string, runId: string | null): void {
  const row = held.get(id);
  if (row === undefined || row.gone !== null) return;
  held.set(id, { ...row, gone: { at: Date.now(), runId } });
  asks.delete(id);
  leaveSoon();
  tellAll();
}

let leaving: ReturnType<typeof setTimeout> | undefined;

/** Rows that have ended leave, whether or not a list has drawn them; what is open on the screen is not taken away. */
function leaveSoon(after = GONE_STAYS_MS): void {
  leaving ??= setTimeout(() => {
    leaving = undefined;
    const waits = [...held.entries()].flatMap(([id, { gone }]) => (gone === null ? [] : [[id, gone.at + GONE_STAYS_MS - Date.now()] as const]));
    const stay = waits.filter(([id, wait]) => wait > 0 || held.isWatched(id));
    for (const [id, wait] of waits) if (wait <= 0 && !held.isWatched(id)) drop(id);
    if (stay.length > 0) leaveSoon(Math.min(...stay.map(([, wait]) => (wait > 0 ? wait : GONE_STAYS_MS))));
    tellAll();
  }, after);
}

function drop(id: string): void {
  for (const rows of [held, asks, flashes, moved]) rows.delete(id);
}

/** The server's records may have gone back to an earlier state: what is read next is right, whatever its version. */
export function distrust(): void {
  for (const [id, row] of [...held.entries()]) held.set(id, { ...row, version: 0, behind: true, gone: null });
  for (const [id] of operations.entries()) doubted.add(id);
  tellAll();
}

export function forget(id: string): void {
  drop(id);
  tellAll();
}

/** Several at once: a bulk action shows on all its rows in one breath. */
export function begin(asked: readonly Ask[]): void {
  for (const ask of asked) asks.set(ask.instanceId, ask);
  tellAll();
}

export function answered(instanceId: string, key: string, answer: { operationId: string | null; version: number | null }): void {
  if (answer.operationId !== null) mine.add(answer.operationId);
  change(instanceId, key, (ask) => accepted(ask, answer));
}

export function unanswered(instanceId: string, key: string): void {
  change(instanceId, key, unconfirmed);
}

export function withdrawn(instanceId: string, key: string): void {
  if (asks.get(instanceId)?.key === key) asks.delete(instanceId);
  tellAll();
}

/** Another person's page, or a test's next. */
export function startEmpty(): void {
  for (const rows of [held, operations, asks, flashes, moved]) rows.clear();
  mine.clear();
  doubted.clear();
  clearTimeout(leaving);
  leaving = undefined;
  useLink.setState({ link: NO_LINK, told: false });
  tellAll();
}

/** Several events of one row may come in one breath: what it went through is remembered, so that it can be shown. */
function note(id: string, status: string): void {
  const moving = lifecycleNow().inProgress.has(status);
  const before = moved.get(id);
  if (moving && (before === undefined || before.over || before.status !== status)) moved.set(id, { status, at: Date.now(), over: false });
  else if (!moving && before !== undefined && !before.over) moved.set(id, { ...before, over: true });
}

function isOurs(event: Event): boolean {
  if (event.operation_id === null) return false;
  if (mine.has(event.operation_id)) return true;
  // The event may be faster than the answer to the request that caused it.
  return event.instance_id !== null && asks.get(event.instance_id) !== undefined;
}

export function useHeld(id: string): Held | undefined {
  return useRow(held, id);
}

export function useAsk(id: string): Ask | undefined {
  return useRow(asks, id);
}

export function useFlash(id: string): Flash | undefined {
  return useRow(flashes, id);
}

export function useMoved(id: string): Moved | undefined {
  return useRow(moved, id);
}

/** An event ahead of its record: what the record says beyond its status may be old. */
export function useBehind(id: string): boolean {
  return useRow(held, id)?.behind ?? false;
}

export function useOperation(id: string | null | undefined): OperationForm | undefined {
  return useRow(operations, id ?? "");
}

/** Operations of a list as they are known by now: steps move on the line, not in the list. */
export function useLatest(listed: readonly OperationForm[]): OperationForm[] {
  useRevision(operations);
  return listed.map((one) => operations.get(one.id) ?? one);
}

/** The operation as last read, with its steps; the record carries only a brief form of it. */
export function useOperationOf(instance: Instance): OperationForm | undefined {
  return useOperation(instance.current_operation?.id);
}

/** One owner for each instance's record, for what was asked and not yet seen, and for how the link stands. */

import { create } from "zustand";

import type { Event, Instance, OperationForm } from "@/api/client";
import { lifecycleNow } from "@/lib/lifecycle";

import type { Link } from "./feed";
import { type Held, mergeEvent, mergeRecord } from "./merge";
import { type Ask, type Asks, accepted, begin, settleByOperation, settleByRecord, settleByStatus, unconfirmed, withdraw } from "./optimism";

/** How long a finished life stays in its list, grey, with its way to History. */
export const GONE_STAYS_MS = 10_000;

export interface Moved {
  status: string;
  at: number;
  /** It has settled since. */
  over: boolean;
}

interface Live {
  link: Link;
  held: Readonly<Record<string, Held>>;
  operations: Readonly<Record<string, OperationForm>>;
  asks: Asks;
  /** Rows that somebody else changed just now: id to the moment and who it was. */
  flashes: Readonly<Record<string, { at: number; actor: string }>>;
  /** The last in-progress status that each row went through, and when it was first heard of. */
  moved: Readonly<Record<string, Moved>>;
  /** Operations that this page started, to tell our own changes from others'. */
  mine: ReadonlySet<string>;
  setLink(link: Link): void;
  takeRecords(records: readonly Instance[]): void;
  takeEvents(events: readonly Event[]): void;
  takeOperations(operations: readonly OperationForm[]): void;
  markGone(id: string, runId: string | null): void;
  forget(id: string): void;
  ask(ask: Ask): void;
  answered(instanceId: string, key: string, answer: { operationId: string | null; version: number | null }): void;
  unanswered(instanceId: string, key: string): void;
  withdrawn(instanceId: string, key: string): void;
}

export const useLive = create<Live>((set) => ({
  link: { state: "connecting", heardAt: null, nextTryAt: null },
  held: {},
  operations: {},
  asks: {},
  flashes: {},
  moved: {},
  mine: new Set(),

  setLink: (link) => set({ link }),

  takeRecords: (records) =>
    set((state) => {
      const held = { ...state.held };
      const moved = { ...state.moved };
      let { asks } = state;
      for (const record of records) {
        const merged = mergeRecord(held[record.id], record, Date.now());
        held[record.id] = merged;
        note(moved, record.id, merged.record.status);
        if (merged.record !== record) continue;
        asks = settleByStatus(asks, record.id, record.status, record.version);
        asks = settleByRecord(asks, record);
      }
      return { held, moved, asks };
    }),

  takeEvents: (events) =>
    set((state) => {
      const held = { ...state.held };
      const flashes = { ...state.flashes };
      const moved = { ...state.moved };
      let { asks } = state;
      for (const event of events) {
        const id = event.instance_id;
        const before = id === null ? undefined : held[id];
        if (id === null || before === undefined) continue;
        const after = mergeEvent(before, event, (status) => lifecycleNow().final.has(status), Date.now());
        if (after === before) continue;
        held[id] = after;
        note(moved, id, after.record.status);
        // Before the wait ends, or our own change would look like somebody else's.
        if (before.record.status !== after.record.status && !isOurs(state, event)) flashes[id] = { at: Date.now(), actor: event.actor };
        asks = settleByStatus(asks, id, after.record.status, after.version);
      }
      return { held, flashes, moved, asks };
    }),

  takeOperations: (operations) =>
    set((state) => ({
      operations: { ...state.operations, ...Object.fromEntries(operations.map((one) => [one.id, one])) },
      asks: operations.reduce(settleByOperation, state.asks),
    })),

  markGone: (id, runId) =>
    set((state) => {
      const held = state.held[id];
      if (held === undefined || held.gone !== null) return state;
      return { held: { ...state.held, [id]: { ...held, gone: { at: Date.now(), runId } } }, asks: withdraw(state.asks, id) };
    }),

  forget: (id) =>
    set((state) => {
      const { [id]: _left, ...held } = state.held;
      return { held };
    }),

  ask: (ask) => set((state) => ({ asks: begin(state.asks, ask) })),
  answered: (instanceId, key, answer) =>
    set((state) => ({
      asks: accepted(state.asks, instanceId, key, answer),
      mine: answer.operationId === null ? state.mine : new Set([...state.mine, answer.operationId]),
    })),
  unanswered: (instanceId, key) => set((state) => ({ asks: unconfirmed(state.asks, instanceId, key) })),
  withdrawn: (instanceId, key) => set((state) => ({ asks: withdraw(state.asks, instanceId, key) })),
}));

/** Several events of one row may come in one breath: what it went through is remembered, so that it can be shown. */
function note(moved: Record<string, Moved>, id: string, status: string): void {
  const moving = lifecycleNow().inProgress.has(status);
  const before = moved[id];
  if (moving && (before === undefined || before.over || before.status !== status)) moved[id] = { status, at: Date.now(), over: false };
  else if (!moving && before !== undefined && !before.over) moved[id] = { ...before, over: true };
}

function isOurs(state: Live, event: Event): boolean {
  if (event.operation_id === null) return false;
  if (state.mine.has(event.operation_id)) return true;
  // The event may be faster than the answer to the request that caused it.
  return event.instance_id !== null && state.asks[event.instance_id] !== undefined;
}

export function useHeld(id: string): Held | undefined {
  return useLive((state) => state.held[id]);
}

export function useAsk(id: string): Ask | undefined {
  return useLive((state) => state.asks[id]);
}

/** The operation as last read, with its steps; the record carries only a brief form of it. */
export function useOperationOf(instance: Instance): OperationForm | undefined {
  return useLive((state) => (instance.current_operation ? state.operations[instance.current_operation.id] : undefined));
}

/**
 * The server's table of moves, read once. Everything that the page knows about statuses and operations comes from here:
 * which are in progress, which are final, what a move shows while it runs, what cannot be undone.
 */

import { useQuery } from "@tanstack/react-query";

import { lifecycleGet } from "@/api/client";

import type { ParamsSchema } from "./schema";

interface Move {
  operation: string;
  legal_from: string[];
  during: string | null;
  done: string;
}

interface OperationWord {
  name: string;
  label: string;
  available: boolean;
  /** What it needs from a person before it is asked for; absent in an older server. */
  needs?: { confirm: string } | null;
}

export interface Lifecycle {
  statuses: string[];
  moves: Move[];
  labels: ReadonlyMap<string, string>;
  inProgress: ReadonlySet<string>;
  final: ReadonlySet<string>;
  /** Where a new life settles: the status in which an endpoint answers. */
  up: ReadonlySet<string>;
  /** What an operation may be told before it is sent. */
  asked: ReadonlyMap<string, ParamsSchema>;
  /** Operations that end a life. */
  ending: ReadonlySet<string>;
}

const NOTHING: Lifecycle = {
  statuses: [],
  moves: [],
  labels: new Map(),
  inProgress: new Set(),
  final: new Set(),
  up: new Set(),
  asked: new Map(),
  ending: new Set(),
};

let current: Lifecycle = NOTHING;

export function lifecycleOf(answer: { statuses: { name: string }[]; moves: Move[]; operations: OperationWord[]; params?: Record<string, ParamsSchema> }): Lifecycle {
  const { moves } = answer;
  const statuses = answer.statuses.map((status) => status.name);
  const inProgress = new Set(moves.flatMap((move) => (move.during === null ? [] : [move.during])));
  const leavable = new Set(moves.flatMap((move) => move.legal_from));
  const final = new Set(statuses.filter((status) => !leavable.has(status) && !inProgress.has(status)));
  return {
    statuses,
    moves,
    labels: new Map(answer.operations.map((word) => [word.name, word.label])),
    inProgress,
    final,
    up: new Set(moves.filter((move) => move.legal_from.length === 0).map((move) => move.done)),
    asked: new Map(Object.entries(answer.params ?? {}).filter(([, schema]) => schema.properties !== undefined)),
    ending: new Set(moves.filter((move) => final.has(move.done)).map((move) => move.operation)),
  };
}

/** What this move shows while it runs, from this status; null where it is one transaction or unknown. */
export function duringOf(table: Lifecycle, action: string, status: string): string | null {
  const own = table.moves.filter((move) => move.operation === action);
  return (own.find((move) => move.legal_from.includes(status)) ?? own[0])?.during ?? null;
}

/** For code outside React; empty until the table was read once. */
export function lifecycleNow(): Lifecycle {
  return current;
}

async function read(): Promise<Lifecycle> {
  const { data } = await lifecycleGet();
  current = lifecycleOf(data as unknown as Parameters<typeof lifecycleOf>[0]);
  return current;
}

export const lifecycleQuery = { queryKey: ["lifecycle"], queryFn: read, staleTime: Infinity, gcTime: Infinity };

export function useLifecycle(): Lifecycle {
  return useQuery(lifecycleQuery).data ?? NOTHING;
}

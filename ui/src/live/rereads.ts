/** What is on the screen and no record tells: lists, counts, histories, specifications. Read again, but not too often. */

import type { Query } from "@tanstack/react-query";

import { keys, queryClient } from "./queries";
import { Seldom } from "./seldom";

/** The first news is shown soon; while more comes, it is read again at most this often. */
const DETAILS_EVERY_MS = 500;
const LISTS_SOON_MS = 250;
const LISTS_EVERY_MS = 2_000;

const inKeys = (of: readonly (readonly string[])[]): ((query: Query) => boolean) => {
  const heads = new Set(of.map(([head]) => head));
  return ({ queryKey: [head] }) => heads.has(String(head));
};
const isList = inKeys([keys.instances, keys.operations, keys.deployments, keys.runs, keys.stats]);
const isDetail = inKeys([keys.history(""), keys.deployment("")]);
const isRecord = inKeys([keys.fleet, keys.urgent, keys.instance(""), keys.operation("")]);

/** Instances and deployments that events have named. */
const touched = new Set<string>();

function isTouched(query: Query): boolean {
  const [, key] = query.queryKey;
  const { id } = (query.state.data ?? {}) as { id?: string };
  return isDetail(query) && (touched.has(String(key)) || (id !== undefined && touched.has(id)));
}

/** True where one is being read just now: its answer may be from before, and is not thrown away for that. */
function readAgain(named: (query: Query) => boolean): boolean {
  const busy = new Set(queryClient.getQueryCache().findAll({ fetchStatus: "fetching", predicate: named }));
  void queryClient.invalidateQueries({ predicate: (query) => named(query) && !busy.has(query) });
  return busy.size > 0;
}

const lists = new Seldom(() => readAgain(isList), LISTS_SOON_MS, LISTS_EVERY_MS);
const details = new Seldom(() => {
  const busy = readAgain(isTouched);
  if (!busy) touched.clear();
  return busy;
}, 0, DETAILS_EVERY_MS);

/** What was asked for before the line was up may be from before its first event: it is read once more. */
export async function catchUp(): Promise<void> {
  const early = queryClient.getQueryCache().findAll({ type: "active", predicate: (query) => isList(query) || isDetail(query) || isRecord(query) });
  await Promise.allSettled(early.map((query) => query.promise));
  await queryClient.invalidateQueries({ predicate: (query) => early.includes(query) });
}

/** Events have named these. */
export function readSoon(ids: readonly string[]): void {
  for (const id of ids) touched.add(id);
  details.ask();
  lists.ask();
}

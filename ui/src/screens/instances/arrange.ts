/** In which order rows stand, and under which heading. Pure, so that the held order can be compared with the wanted. */

import type { Instance } from "@/api/client";
import type { Lifecycle } from "@/lib/lifecycle";
import { statusLook } from "@/lib/look";
import type { Held } from "@/live/merge";
import { lateness } from "@/parts/Status";

import { type InstanceFilter, matches, type Sort, type View } from "./filters";

export type GroupKey = "needs" | "moving" | "settled" | "all";

export interface Line {
  id: string;
  group: GroupKey;
}

/** In error, busy for longer than its deadline, or with a notice: the server's own words for `needs_you`. */
export function needsYou(record: Instance, now: number): boolean {
  const look = statusLook(record.status);
  return look.voice === "alarm" || Boolean(record.notice) || record.current_operation?.needs_you === true || lateness(record.current_operation, now) === "stuck";
}

function groupOf(record: Instance, table: Lifecycle, now: number): GroupKey {
  if (needsYou(record, now)) return "needs";
  const waiting = record.current_operation !== null && !record.current_operation.done;
  return table.inProgress.has(record.status) || waiting ? "moving" : "settled";
}

const RANK: Record<GroupKey, number> = { needs: 0, moving: 1, settled: 2, all: 3 };

const TEXTS: Record<Exclude<Sort, "attention">, (record: Instance) => string> = {
  name: (record) => record.name,
  status: (record) => record.status,
  health: (record) => record.health,
  blueprint: (record) => record.blueprint,
  where: (record) => `${record.provider} ${record.host ?? record.availability_zone ?? ""}`,
  created: (record) => record.created_at,
  changed: (record) => record.changed_at,
};

const collator = new Intl.Collator("en", { numeric: true });

function inStatus(filter: InstanceFilter, held: Held, now: number): boolean {
  if (held.gone !== null) return true;
  if (filter.needsYou && !needsYou(held.record, now)) return false;
  return filter.statuses.length === 0 || filter.statuses.includes(held.record.status);
}

export function arrange(all: Iterable<Held>, view: View, table: Lifecycle, now: number): Line[] {
  const kept: { record: Instance; group: GroupKey }[] = [];
  for (const held of all) {
    if (!inStatus(view.filter, held, now) || !matches(view.filter, held.record)) continue;
    kept.push({ record: held.record, group: view.sort === "attention" ? groupOf(held.record, table, now) : "all" });
  }
  if (view.sort === "attention") {
    // Newest first inside a group, as the server lists them: loading more only ever adds below.
    kept.sort((a, b) => RANK[a.group] - RANK[b.group] || (a.record.created_at < b.record.created_at ? 1 : -1));
  } else {
    const text = TEXTS[view.sort];
    const turn = view.descending ? -1 : 1;
    kept.sort((a, b) => turn * collator.compare(text(a.record), text(b.record)) || collator.compare(a.record.name, b.record.name));
  }
  return kept.map(({ record, group }) => ({ id: record.id, group }));
}

/**
 * What is held, in the order in which it was last drawn: sorting what is nearly sorted looks at each row about once,
 * and ten thousand rows must not be compared from scratch while somebody scrolls.
 */
export function* lastOrderFirst(rows: { get(id: string): Held | undefined; values(): Iterable<Held> }, before: readonly Line[]): Generator<Held> {
  const known = new Set<Held>();
  for (const line of before) {
    const held = rows.get(line.id);
    if (held === undefined) continue;
    known.add(held);
    yield held;
  }
  for (const held of rows.values()) if (!known.has(held)) yield held;
}

/**
 * Rows never move under the pointer or the focus. While held, the old order stays: what has left goes, what is new
 * comes at the end of its group, and `moves` says how many rows a re-sort would move.
 */
export function hold(before: readonly Line[], wanted: readonly Line[]): { lines: Line[]; moves: number } {
  const want = new Map(wanted.map((line, index) => [line.id, { line, index }]));
  const known = new Set(before.map((line) => line.id));
  const lines = before.filter((line) => want.has(line.id));
  for (const line of wanted) {
    if (known.has(line.id)) continue;
    const end = lines.findLastIndex((one) => RANK[one.group] <= RANK[line.group]);
    lines.splice(end + 1, 0, line);
  }
  const moves = lines.filter((line) => want.get(line.id)?.line.group !== line.group).length || outOfOrder(lines, want);
  return { lines, moves };
}

function outOfOrder(lines: readonly Line[], want: ReadonlyMap<string, { index: number }>): number {
  let moves = 0;
  let highest = -1;
  for (const line of lines) {
    const index = want.get(line.id)?.index ?? 0;
    if (index < highest) moves += 1;
    else highest = index;
  }
  return moves;
}

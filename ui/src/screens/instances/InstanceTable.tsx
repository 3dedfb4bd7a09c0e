/** The table: a real one, laid out as grids, of which only the rows in view exist. */

import { defaultRangeExtractor, type Range, useWindowVirtualizer } from "@tanstack/react-virtual";
import { type CSSProperties, useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState } from "react";

import { useUi } from "@/lib/ui";
import { Icon } from "@/parts/Icon";

import type { GroupKey, Line } from "./arrange";
import { useBusy } from "./busy";
import { COLUMN_LOOKS, gridOf, shownColumns, useHiddenColumns } from "./columns";
import type { Sort, View } from "./filters";
import { InstanceRow, placed } from "./InstanceRow";
import { useRowKeys } from "./keys";
import { useSelection } from "./selection";

const GROUP_WORDS: Record<GroupKey, string> = { needs: "Needs you", moving: "In progress", settled: "Settled", all: "" };
const NEAR_END = 40;

export type Entry = { kind: "group"; group: GroupKey; count: number } | { kind: "row"; id: string };

export function entriesOf(lines: readonly Line[], totals: Partial<Record<GroupKey, number>>): Entry[] {
  const sizes = new Map<GroupKey, number>();
  for (const line of lines) sizes.set(line.group, (sizes.get(line.group) ?? 0) + 1);
  const entries: Entry[] = [];
  let group: GroupKey | null = null;
  for (const line of lines) {
    if (line.group !== group && line.group !== "all") {
      entries.push({ kind: "group", group: line.group, count: Math.max(sizes.get(line.group) ?? 0, totals[line.group] ?? 0) });
    }
    group = line.group;
    entries.push({ kind: "row", id: line.id });
  }
  return entries;
}

/** The head, the groups and every row, also those that are not loaded: what `aria-rowindex` counts. */
export function rowCount(entries: readonly Entry[], loaded: number, total: number): number {
  return 1 + entries.length + Math.max(0, total - loaded);
}

interface TableProps {
  lines: readonly Line[];
  totals: Partial<Record<GroupKey, number>>;
  total: number;
  view: View;
  stale: boolean;
  onSort: (sort: Sort, descending: boolean) => void;
  onNearEnd: () => void;
  onBusy: (busy: boolean) => void;
}

export function InstanceTable({ lines, totals, total, view, stale, onSort, onNearEnd, onBusy }: TableProps) {
  const entries = useMemo(() => entriesOf(lines, totals), [lines, totals]);
  const width = usePageWidth();
  const phone = width <= 860;
  const hidden = useHiddenColumns((state) => state.hidden);
  const shown = useMemo(() => shownColumns(hidden, width), [hidden, width]);
  const columns = useMemo(() => new Set(shown), [shown]);
  const grid = gridOf(shown, width);
  const body = useRef<HTMLTableSectionElement>(null);
  const [cursor, setCursor] = useState<string | null>(null);
  const pinned = useMemo(() => entries.findIndex((entry) => entry.kind === "row" && entry.id === cursor), [entries, cursor]);
  const { virtual, offset } = useRows(entries, phone, body, pinned);
  const hands = useBusy(body, onBusy);
  const ids = useMemo(() => lines.map((line) => line.id), [lines]);
  useRowKeys(ids, cursor, setCursor, (id) => virtual.scrollToIndex(entries.findIndex((entry) => entry.kind === "row" && entry.id === id)));
  const items = virtual.getVirtualItems();
  const last = virtual.range?.endIndex ?? 0;
  useEffect(() => {
    if (last > entries.length - NEAR_END) onNearEnd();
  }, [last, entries.length, onNearEnd]);
  const focus = useCallback((id: string) => setCursor(id), []);
  return (
    <table className={stale ? "list stale" : "list"} role="table" id="instances" aria-rowcount={rowCount(entries, lines.length, total)} style={{ "--cols": grid } as CSSProperties}>
      <caption className="sr">Instances, sorted by {view.sort}</caption>
      <Head shown={shown} view={view} onSort={onSort} ids={ids} />
      <tbody
        role="rowgroup"
        ref={body}
        style={{ height: virtual.getTotalSize(), position: "relative" }}
        {...hands}
      >
        {items.map((item) => {
          const entry = entries[item.index];
          const start = item.start - offset;
          const height = phone ? undefined : item.size;
          const measure = phone ? virtual.measureElement : undefined;
          if (entry === undefined) return null;
          if (entry.kind === "row") {
            return <InstanceRow key={entry.id} id={entry.id} index={item.index} start={start} height={height} columns={columns} cursor={cursor === entry.id} measure={measure} onFocus={focus} />;
          }
          return <GroupRow key={entry.group} index={item.index} entry={entry} style={placed(start, height)} measure={measure} />;
        })}
      </tbody>
    </table>
  );
}

/** The rows in view, and the one that has or had the focus: scrolled away, it must not lose it. */
export function rangeWith(pinned: number, range: Range): number[] {
  const shown = defaultRangeExtractor(range);
  if (pinned < 0 || pinned >= range.count || shown.includes(pinned)) return shown;
  return [...shown, pinned].sort((a, b) => a - b);
}

function useRows(entries: readonly Entry[], phone: boolean, body: React.RefObject<HTMLTableSectionElement | null>, pinned: number) {
  const density = useUi((ui) => ui.density);
  const [offset, setOffset] = useState(0);
  useLayoutEffect(() => {
    const measure = (): void => setOffset((body.current?.getBoundingClientRect().top ?? 0) + window.scrollY);
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(document.body);
    return () => observer.disconnect();
  }, [body]);
  const row = phone ? 132 : density === "compact" ? 30 : 36;
  const virtual = useWindowVirtualizer({
    count: entries.length,
    estimateSize: (index) => (entries[index]?.kind === "group" ? 40 : row),
    getItemKey: (index) => {
      const entry = entries[index];
      return entry === undefined ? index : entry.kind === "row" ? entry.id : entry.group;
    },
    overscan: 8,
    rangeExtractor: useCallback((range: Range) => rangeWith(pinned, range), [pinned]),
    // Rows are drawn with the next frame, not inside the scroll event.
    useFlushSync: false,
    scrollMargin: offset,
    scrollPaddingStart: 96,
    scrollPaddingEnd: 96,
  });
  useEffect(() => virtual.measure(), [virtual, row]);
  return { virtual, offset };
}

function GroupRow({ entry, index, style, measure }: { entry: Extract<Entry, { kind: "group" }>; index: number; style: CSSProperties; measure: ((element: Element | null) => void) | undefined }) {
  return (
    <tr role="row" className="group" ref={measure} data-index={index} aria-rowindex={index + 2} style={style}>
      <th role="cell">
        <strong>{GROUP_WORDS[entry.group]}</strong> {entry.count}
      </th>
    </tr>
  );
}

interface HeadProps {
  shown: ReturnType<typeof shownColumns>;
  view: View;
  ids: readonly string[];
  onSort: TableProps["onSort"];
}

function Head({ shown, view, ids, onSort }: HeadProps) {
  const picked = useSelection((state) => state.picked);
  const { pickAll, clear } = useSelection.getState();
  const all = ids.length > 0 && picked.size >= ids.length;
  return (
    <thead role="rowgroup">
      <tr role="row">
        <td role="cell" className="pick">
          <input
            type="checkbox"
            aria-label="Select all that are loaded"
            checked={all}
            ref={(box) => {
              if (box) box.indeterminate = picked.size > 0 && !all;
            }}
            onChange={() => (all ? clear() : pickAll(ids))}
          />
        </td>
        <SortHead sort="name" title="Name" view={view} onSort={onSort} />
        <SortHead sort="status" title="Status" view={view} onSort={onSort}>
          <span className="took">elapsed of usual</span>
        </SortHead>
        {shown.map((column) => (
          <SortHead key={column} sort={column} title={COLUMN_LOOKS[column].title} className={COLUMN_LOOKS[column].className} view={view} onSort={onSort} />
        ))}
        <td role="cell" className="do" />
      </tr>
    </thead>
  );
}

interface SortHeadProps {
  sort: Sort;
  title: string;
  view: View;
  className?: string;
  onSort: TableProps["onSort"];
  children?: React.ReactNode;
}

function SortHead({ sort, title, view, className, onSort, children }: SortHeadProps) {
  const active = view.sort === sort;
  // Up, down, and back to what needs attention first.
  const next = (): void => (active && view.descending ? onSort("attention", false) : onSort(sort, active));
  return (
    <th role="columnheader" scope="col" className={className} aria-sort={active ? (view.descending ? "descending" : "ascending") : "none"}>
      <div className={children ? "state" : undefined}>
        <button type="button" className={active ? "sorted" : undefined} onClick={next}>
          {title}
          {active && <Icon name="down" className={view.descending ? undefined : "flip"} />}
        </button>
        {children}
      </div>
    </th>
  );
}

function usePageWidth(): number {
  const [width, setWidth] = useState(document.documentElement.clientWidth);
  useEffect(() => {
    const onResize = (): void => setWidth(document.documentElement.clientWidth);
    window.addEventListener("resize", onResize);
    return () => window.removeEventListener("resize", onResize);
  }, []);
  return width;
}

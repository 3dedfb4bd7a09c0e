/** One instance in one line (a block on a phone). It listens for its own record only. */

import { type CSSProperties, memo, useEffect, useState } from "react";
import { Link } from "wouter";

import { forget, GONE_STAYS_MS, held as rows, useFlash, useHeld, useOperationOf } from "@/live/store";
import type { Held } from "@/live/merge";
import { readBehind } from "@/live/sync";
import { useLifecycle } from "@/lib/lifecycle";
import { statusLook } from "@/lib/look";
import { LazyActionMenu, useChoices, useDoing } from "@/parts/Actions";
import { Button, LinkButton } from "@/parts/Button";
import { HealthMark } from "@/parts/Health";
import { useShown } from "@/parts/Status";
import { Ago } from "@/parts/Time";

import { roleOf, StateCell, whatOf, whereOf } from "./Cells";
import type { Column } from "./columns";
import { useSelection } from "./selection";

const FLASH_MS = 1_600;

interface RowProps {
  id: string;
  index: number;
  /** Where the row begins, in pixels; a number, so that scrolling draws only the rows that come. */
  start: number;
  height: number | undefined;
  columns: ReadonlySet<Column>;
  cursor: boolean;
  measure: ((element: Element | null) => void) | undefined;
  onFocus: (id: string) => void;
}

export const InstanceRow = memo(function InstanceRow({ id, index, start, height, columns, cursor, measure, onFocus }: RowProps) {
  const held = useHeld(id);
  const picked = useSelection((state) => state.picked.has(id));
  const toggle = useSelection((state) => state.toggle);
  const flashing = useFlashing(id);
  const leaving = held?.gone?.at;
  useEffect(() => {
    if (leaving === undefined) return undefined;
    const timer = setTimeout(() => forget(id), Math.max(0, leaving + GONE_STAYS_MS - Date.now()));
    return () => clearTimeout(timer);
  }, [id, leaving]);
  useEffect(() => {
    // It changed while nobody saw it.
    if (rows.get(id)?.behind) readBehind(id);
  }, [id]);
  if (held === undefined) return null;
  const { record } = held;
  const role = roleOf(record);
  return (
    <tr
      role="row"
      ref={measure}
      data-index={index}
      aria-rowindex={index + 2}
      data-id={id}
      style={placed(start, height)}
      data-selected={picked ? "" : undefined}
      data-cursor={cursor ? "" : undefined}
      data-gone={held.gone ? "" : undefined}
      data-flash={flashing ? "" : undefined}
      onFocus={() => onFocus(id)}
    >
      <td role="cell" className="pick">
        <input type="checkbox" aria-label={`Select ${record.name}`} checked={picked} onChange={(event) => toggle(id, (event.nativeEvent as MouseEvent).shiftKey)} />
      </td>
      <th role="rowheader" scope="row">
        <RowLink name={record.name} href={held.gone ? `/history/${held.gone.runId ?? id}` : `/instances/${record.name}`} />
        {role && <span className="role">{role}</span>}
      </th>
      <td role="cell" className="c-state">
        <RowState held={held} />
      </td>
      {columns.has("health") && <td role="cell" className="c-health">{held.gone ? null : <HealthMark instance={record} />}</td>}
      {columns.has("blueprint") && <td role="cell" className="c-what" title={whatOf(record)}>{whatOf(record)}</td>}
      {columns.has("where") && <td role="cell" className="c-where" title={whereOf(record)}>{whereOf(record)}</td>}
      {columns.has("created") && <td role="cell" className="num c-age"><Ago time={record.created_at} /></td>}
      {columns.has("changed") && <td role="cell" className="c-last"><Changed held={held} /></td>}
      <td role="cell" className="do">
        <RowActions held={held} />
      </td>
    </tr>
  );
});

const LONG = 22;
const END = 6;

/** A long name is cut before its end, by which members differ. */
function RowLink({ name, href }: { name: string; href: string }) {
  const long = name.length > LONG;
  return (
    <Link className={long ? "name ends" : "name"} href={href} title={name} aria-label={long ? name : undefined} data-row-link="">
      {long ? (
        <>
          <span>{name.slice(0, -END)}</span>
          <span>{name.slice(-END)}</span>
        </>
      ) : (
        name
      )}
    </Link>
  );
}

export function placed(start: number, height?: number): CSSProperties {
  return { position: "absolute", insetInline: 0, top: 0, transform: `translateY(${start}px)`, ...(height === undefined ? {} : { height }) };
}

function RowState({ held }: { held: Held }) {
  const operation = useOperationOf(held.record);
  return <StateCell held={held} operation={operation} />;
}

function Changed({ held }: { held: Held }) {
  const { changed_by, changed_at } = held.record;
  return (
    <span className="flex gap-1.5" title={`by ${changed_by}`}>
      <span className="truncate">{changed_by}</span>
      <span className="muted shrink-0">
        <Ago time={changed_at} />
      </span>
    </span>
  );
}

/** The one thing one would do next, and everything else behind the dots. */
function RowActions({ held }: { held: Held }) {
  const { record, gone } = held;
  if (gone) {
    return (
      <div>
        <LinkButton kind="quiet" size="sm" href={`/history/${gone.runId ?? record.id}`}>
          View history
        </LinkButton>
      </div>
    );
  }
  return (
    <div>
      <PrimaryAction held={held} />
      <LazyActionMenu instance={record} />
    </div>
  );
}

function PrimaryAction({ held }: { held: Held }) {
  const { record } = held;
  const table = useLifecycle();
  const { inProgress } = useShown(record);
  const choices = useChoices(record);
  const { run, reason } = useDoing(record);
  const wayOut = record.current_operation?.needs_you ? choices.find((choice) => choice.button && choice.enabled && !choice.ending) : undefined;
  if (inProgress && wayOut === undefined) {
    return (
      <span data-wide="">
        <LinkButton kind="quiet" size="sm" href={`/instances/${record.name}`}>
          View progress
        </LinkButton>
      </span>
    );
  }
  const next = wayOut ?? choices.find((choice) => choice.button && choice.enabled && !choice.ending);
  if (wayOut === undefined && table.up.has(record.status)) {
    const web = record.endpoint?.startsWith("http") ? record.endpoint : null;
    return (
      <span data-wide="">
        {web === null ? (
          <LinkButton kind="quiet" size="sm" href={`/instances/${record.name}`}>
            View
          </LinkButton>
        ) : (
          <a className="btn" data-kind="quiet" data-size="sm" href={web} target="_blank" rel="noreferrer">
            Open
          </a>
        )}
      </span>
    );
  }
  if (next === undefined) return null;
  return (
    <Button size="sm" {...(statusLook(record.status).voice === "plain" ? { kind: "quiet" as const } : {})} reason={reason(next)} onClick={() => run(next)}>
      {next.label}
    </Button>
  );
}

/** Somebody else changed this row: one flash. */
function useFlashing(id: string): boolean {
  const at = useFlash(id)?.at;
  const [flashing, setFlashing] = useState(false);
  useEffect(() => {
    const left = at === undefined ? 0 : at + FLASH_MS - Date.now();
    if (left <= 0) return undefined;
    setFlashing(true);
    const timer = setTimeout(() => setFlashing(false), left);
    return () => clearTimeout(timer);
  }, [at]);
  return flashing;
}

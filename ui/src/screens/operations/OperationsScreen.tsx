/** Everything under way and everything that waits for a person, the stuck first, each with its way out in place. */

import { useQuery } from "@tanstack/react-query";
import { useEffect, useMemo, useState } from "react";
import { useSearchParams } from "wouter";

import { type OperationForm, operationsList } from "@/api/client";
import { useNow } from "@/lib/clock";
import { isFailure, OVER_RESULTS } from "@/lib/look";
import { usePages } from "@/live/pages";
import { keys, moreUnderWay, openOperationsQuery, useInterval } from "@/live/queries";
import { takeOperations, useLatest } from "@/live/store";
import { Button } from "@/parts/Button";
import { Icon, Spinner } from "@/parts/Icon";
import { Bones, Command, Empty, Failed } from "@/parts/States";

import { GROUPS, type Group, groupOf, type OperationFilter, wanted } from "./groups";
import { OperationRow } from "./OperationRow";
import { OperationsBulk, RetryAll } from "./OperationsBulk";

const FINISHED = 50;

function useOperations() {
  const open = useQuery(openOperationsQuery);
  const every = useInterval();
  const recent = usePages({
    key: [...keys.operations, "finished"],
    read: async (asked) => {
      const { data } = await operationsList({ query: { ...asked, status: [...OVER_RESULTS] } });
      takeOperations(data.items);
      return { data };
    },
    size: FINISHED,
    refetchInterval: every,
  });
  const listed = useMemo(() => {
    const all = [...(open.data?.items ?? []), ...recent.rows];
    return [...new Map(all.map((one) => [one.id, one])).values()];
  }, [open.data, recent.rows]);
  const items = useLatest(listed);
  return { items, open, recent };
}

export default function OperationsScreen() {
  const { items, open, recent } = useOperations();
  const now = useNow();
  const [params, setParams] = useSearchParams();
  const filter: OperationFilter = { q: params.get("q") ?? "", group: (params.get("show") ?? "open") as OperationFilter["group"] };
  const change = (next: Partial<OperationFilter>): void => {
    const { q, group } = { ...filter, ...next };
    setParams({ ...(q ? { q } : {}), ...(group === "open" ? {} : { show: group }) }, { replace: true });
  };
  useEffect(() => {
    document.title = "Operations · Berth";
  }, []);
  const [picked, setPicked] = useState<ReadonlySet<string>>(new Set());
  const sizes = countBy(items, now);
  const shown = items.filter((one) => wanted(one, filter, now));
  const error = open.error ?? recent.error;
  const retry = (): void => {
    void open.refetch();
    recent.retry();
  };
  const hidden = moreUnderWay(open.data);
  const parked = items.filter((one) => groupOf(one, now) === "parked");
  return (
    <>
      <div className="head">
        <h1>Operations</h1>
        <label className="field">
          <Icon name="search" />
          <span className="sr">Search operations</span>
          <input data-search="" type="search" placeholder="Instance, kind, person, operation id" value={filter.q} onChange={(event) => change({ q: event.target.value })} />
          <kbd>/</kbd>
        </label>
        <span className="grow" />
        <div className="actions">
          <RetryAll parked={parked} />
        </div>
      </div>
      <div className="filters" role="group" aria-label="Filter operations">
        <Chip on={filter.group === "open"} onClick={() => change({ group: "open" })} text="All" count={items.length} />
        <Chip on={filter.group === "stuck"} onClick={() => change({ group: "stuck" })} text="Stuck" count={sizes.stuck} alarm={sizes.stuck > 0} />
        <Chip on={filter.group === "parked"} onClick={() => change({ group: "parked" })} text="Parked" count={sizes.parked} hue="red" icon={<Icon name="pause" />} />
        <Chip on={filter.group === "moving"} onClick={() => change({ group: "moving" })} text="Running" count={sizes.moving} hue="sky" icon={sizes.moving > 0 ? <Spinner /> : <Icon name="ring" />} />
        <span className="cut" />
        <Chip on={filter.group === "failed"} onClick={() => change({ group: "failed" })} text="Failed lately" count={items.filter((one) => isFailure(one.status)).length} hue="red" icon={<Icon name="x" />} />
        <span className="end">times in UTC</span>
      </div>
      {error !== null && <Failed what="The operations could not be read" error={error} asOf={open.dataUpdatedAt || null} onRetry={retry} />}
      {shown.length > 0 ? (
        <Table operations={shown} now={now} picked={picked} onPick={setPicked} />
      ) : open.isPending || recent.readAt === null ? (
        error === null && <Bones label="Loading operations" cols="3rem 13.5rem 1fr 11rem 9rem" />
      ) : (
        <Nothing any={items.length > 0} onClear={() => change({ q: "", group: "open" })} />
      )}
      <p className="foot">
        <span>
          {sizes.finished} finished shown, {recent.next ? "the latest" : "all that are kept"}
          {hidden > 0 && `, and ${hidden} more under way that are not`}
        </span>
        {recent.next && (
          <Button size="sm" busy={recent.next.busy} onClick={recent.next.load}>
            Earlier operations
          </Button>
        )}
      </p>
      <OperationsBulk picked={shown.filter((one) => picked.has(one.id))} now={now} onClear={() => setPicked(new Set())} />
    </>
  );
}

function countBy(items: readonly OperationForm[], now: number): Record<Group, number> {
  const sizes: Record<Group, number> = { stuck: 0, parked: 0, moving: 0, finished: 0 };
  for (const one of items) sizes[groupOf(one, now)] += 1;
  return sizes;
}

interface ChipProps {
  on: boolean;
  text: string;
  count: number;
  onClick: () => void;
  hue?: string;
  icon?: React.ReactNode;
  alarm?: boolean;
}

function Chip({ on, text, count, onClick, hue, icon, alarm = false }: ChipProps) {
  return (
    <button type="button" className="chip" aria-pressed={on} data-hue={hue} data-alarm={alarm ? "" : undefined} onClick={onClick}>
      {icon}
      {text} <b>{count}</b>
    </button>
  );
}

interface TableProps {
  operations: readonly OperationForm[];
  now: number;
  picked: ReadonlySet<string>;
  onPick: (picked: ReadonlySet<string>) => void;
}

function Table({ operations, now, picked, onPick }: TableProps) {
  // What is over cannot be asked for anything.
  const able = operations.filter((one) => groupOf(one, now) !== "finished");
  const all = able.length > 0 && able.every((one) => picked.has(one.id));
  const toggle = (id: string): void => {
    const next = new Set(picked);
    if (!next.delete(id)) next.add(id);
    onPick(next);
  };
  return (
    <table className="list" id="operations" role="table">
      <caption className="sr">Operations, those that need a person first</caption>
      <thead role="rowgroup">
        <tr role="row">
          <td role="cell" className="pick">
            {able.length > 0 && <input type="checkbox" aria-label="Select all that are not over" checked={all} onChange={() => onPick(new Set(all ? [] : able.map((one) => one.id)))} />}
          </td>
          <th role="columnheader" scope="col">Operation</th>
          <th role="columnheader" scope="col">Now</th>
          <th role="columnheader" scope="col" className="num">Elapsed</th>
          <th role="columnheader" scope="col">Against usual</th>
          <td role="cell" className="c-usual" />
          <th role="columnheader" scope="col" className="c-tries">Attempt</th>
          <th role="columnheader" scope="col" className="c-last">Asked</th>
          <td role="cell" className="do" />
        </tr>
      </thead>
      {GROUPS.map(({ key, title, note }) => {
        const own = operations.filter((one) => groupOf(one, now) === key);
        if (own.length === 0) return null;
        own.sort((a, b) => (a.created_at < b.created_at ? 1 : -1));
        return (
          <tbody key={key} role="rowgroup">
            <tr role="row" className="group">
              <th role="cell">
                <strong>{title}</strong> {own.length}
                {note && `, ${note}`}
              </th>
            </tr>
            {own.map((operation) => (
              <OperationRow key={operation.id} operation={operation} group={key} picked={picked.has(operation.id)} onPick={toggle} />
            ))}
          </tbody>
        );
      })}
    </table>
  );
}

function Nothing({ any, onClear }: { any: boolean; onClear: () => void }) {
  if (!any) {
    return (
      <Empty title="Nothing was ever done here">
        <p className="muted">Every create, start, stop and delete appears on this page with its steps.</p>
        <Command text="berth create demo --blueprint web --wait" />
      </Empty>
    );
  }
  return (
    <div className="empty gutter">
      <p>No operation matches.</p>
      <div className="actions">
        <button type="button" className="btn" data-size="sm" onClick={onClear}>
          Show all
        </button>
      </div>
    </div>
  );
}

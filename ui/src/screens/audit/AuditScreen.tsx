/** Who did what, and who tried: for administrators. The filters live in the address. */

import { useEffect } from "react";
import { Link, useSearchParams } from "wouter";

import { type AuditEntry, auditList, type Outcome } from "@/api/client";
import { isAbsent } from "@/api/trust";
import { serverNow } from "@/lib/clock";
import { words } from "@/lib/look";
import { useBarred } from "@/lib/places";
import { textOf } from "@/lib/schema";
import { day } from "@/lib/time";
import { usePages } from "@/live/pages";
import { keys } from "@/live/queries";
import { DataTable, type TableColumn } from "@/parts/DataTable";
import { Icon } from "@/parts/Icon";
import { Barred, Bones, Empty, Failed, More } from "@/parts/States";
import { Clock } from "@/parts/Time";

const SPANS: [hours: number, text: string][] = [
  [1, "the last hour"],
  [24, "the last day"],
  [24 * 7, "the last week"],
  [0, "all that is kept"],
];
const OUTCOMES: readonly Outcome[] = ["done", "accepted", "refused", "failed"];

export default function AuditScreen() {
  const refused = useBarred("/audit");
  const [params, setParams] = useSearchParams();
  const filter = { actor: params.get("actor") ?? "", action: params.get("action") ?? "", outcome: OUTCOMES.find((one) => one === params.get("outcome")) ?? "", hours: Number(params.get("hours") ?? "24") };
  const change = (next: Partial<typeof filter>): void => {
    const all = { ...filter, ...next };
    const said = Object.entries({ actor: all.actor, action: all.action, outcome: all.outcome, hours: all.hours === 24 ? "" : String(all.hours) });
    setParams(Object.fromEntries(said.filter(([, value]) => value !== "")), { replace: true });
  };
  const { rows, none, loading, error, readAt, next, retry } = usePages({
    key: [...keys.audit, filter],
    read: (asked) => auditList({ query: { ...queryOf(filter), ...asked } }),
    placeholderData: (before) => before,
    enabled: refused === null,
  });
  useEffect(() => {
    document.title = "Audit · Berth";
  }, []);
  return (
    <>
      <div className="head">
        <h1>Audit</h1>
        <Search label="Who" value={filter.actor} onChange={(actor) => change({ actor })} first />
        <Search label="What" value={filter.action} onChange={(action) => change({ action })} />
        <span className="grow" />
        <label className="field short">
          <span className="sr">Since</span>
          <select value={filter.hours} onChange={(event) => change({ hours: Number(event.target.value) })}>
            {SPANS.map(([hours, text]) => (
              <option key={hours} value={hours}>
                {text}
              </option>
            ))}
          </select>
          <Icon name="down" />
        </label>
      </div>
      <div className="filters" role="group" aria-label="Filter by outcome">
        <button type="button" className="chip" aria-pressed={filter.outcome === ""} onClick={() => change({ outcome: "" })}>
          All
        </button>
        {OUTCOMES.map((outcome) => (
          <button key={outcome} type="button" className="chip" aria-pressed={filter.outcome === outcome} onClick={() => change({ outcome: filter.outcome === outcome ? "" : outcome })}>
            {words(outcome)}
          </button>
        ))}
        <span className="end">times in UTC</span>
      </div>
      {refused && <Barred what="The audit trail is" reason={refused} />}
      {error && !isAbsent(error) && <Failed what="The audit trail could not be read" error={error} asOf={readAt} onRetry={retry} />}
      {loading && !refused && <Bones label="Loading the audit trail" cols="1rem 9rem 9rem 14rem 1fr" />}
      {(none || (error && isAbsent(error))) && (
        <Empty title="Nothing was written down here">
          <p className="muted">Every change, every refusal and every look at a secret is written down with who asked.</p>
        </Empty>
      )}
      {rows.length > 0 && <DataTable label="Audit trail, the latest first" rows={rows} columns={COLUMNS} keyOf={(row) => String(row.id)} stale={Boolean(error)} partial={next !== null} />}
      <More next={next}>Earlier</More>
    </>
  );
}

function queryOf(filter: { actor: string; action: string; outcome: string; hours: number }): Record<string, string> {
  const since = filter.hours === 0 ? "" : new Date(Math.floor(serverNow() / 60_000) * 60_000 - filter.hours * 3_600_000).toISOString();
  const said = Object.entries({ actor: filter.actor, action: filter.action, outcome: filter.outcome, since });
  return Object.fromEntries(said.filter(([, value]) => value !== ""));
}

function Search({ label, value, onChange, first = false }: { label: string; value: string; onChange: (value: string) => void; first?: boolean }) {
  return (
    <label className="field short">
      <Icon name="search" />
      <span className="sr">{label}, exactly</span>
      <input {...(first ? { "data-search": "" } : {})} type="search" placeholder={label} value={value} spellCheck={false} autoComplete="off" onChange={(event) => onChange(event.target.value)} />
    </label>
  );
}

const COLUMNS: TableColumn<AuditEntry>[] = [
  { id: "time", title: "When", width: "9.5rem", by: (row) => row.time, cell: (row) => <><Clock time={row.time} /> <span className="muted">{day(row.time).replace(/ \d{4}$/, "")}</span></> },
  { id: "actor", title: "Who", width: "9rem", by: (row) => row.actor, cell: (row) => <span title={row.actor}>{row.actor} {row.role !== row.actor && <span className="muted">{row.role}</span>}</span> },
  { id: "action", title: "Did", width: "minmax(9rem, .8fr)", head: true, by: (row) => row.action, cell: (row) => <b title={row.action}>{row.action}</b> },
  { id: "target", title: "To", width: "minmax(12rem, 1.5fr)", by: (row) => row.target ?? "", cell: (row) => <Target of={row.target ?? ""} /> },
  { id: "outcome", title: "Outcome", width: "9rem", by: (row) => row.outcome, cell: (row) => <Outcome row={row} /> },
  { id: "detail", title: "Detail", width: "minmax(8rem, 1fr)", wide: true, cell: (row) => <Detail of={brief(row.detail)} /> },
  { id: "trace", title: "Trace", width: "9rem", wide: true, cell: (row) => <code title={row.trace_id ?? undefined}>{row.trace_id ?? ""}</code> },
];

function brief(detail: unknown): string {
  const text = textOf(detail);
  return text === "{}" ? "" : text;
}

/** What it is called, and then the id that a machine gave it. */
function Target({ of }: { of: string }) {
  if (of === "") return null;
  const [name = "", ...ids] = of.split(" ");
  return (
    <span title={of}>
      {name} {ids.length > 0 && <code className="muted">{ids.join(" ")}</code>}
    </span>
  );
}

/** What was accepted leads to its operation. */
function Detail({ of }: { of: string }) {
  if (!/^op_\w+$/.test(of)) return <span title={of}>{of}</span>;
  return (
    <Link href={`/operations/${of}`} title={of}>
      <code>{of}</code>
    </Link>
  );
}

function Outcome({ row }: { row: AuditEntry }) {
  const fine = row.outcome === "done" || row.outcome === "accepted";
  return (
    <span className="health" data-health={fine ? "healthy" : "unreachable"}>
      <Icon name={fine ? "check" : "x"} />
      {words(row.outcome)}
      {row.status && <span className="muted font-normal"> {row.status}</span>}
    </span>
  );
}

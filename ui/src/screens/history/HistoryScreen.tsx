/** Finished lives: what ran, for how long, why it ended and on whose word. */

import { useEffect } from "react";
import { Link, useSearchParams } from "wouter";

import { type Run, runsList } from "@/api/client";
import { absolute, day } from "@/lib/time";
import { sizeOf, usePages } from "@/live/pages";
import { keys } from "@/live/queries";
import { Button } from "@/parts/Button";
import { DataTable, type TableColumn } from "@/parts/DataTable";
import { Icon } from "@/parts/Icon";
import { Bones, Empty, Failed, More } from "@/parts/States";
import { Ago, Seconds } from "@/parts/Time";

const COLUMNS: TableColumn<Run>[] = [
  { id: "name", title: "Name", width: "minmax(10rem, 1fr)", head: true, by: (run) => run.name, cell: (run) => <Link className="name" href={`/history/${run.run_id}`}>{run.name}</Link> },
  { id: "blueprint", title: "Blueprint", width: "8.4rem", wide: true, by: (run) => run.blueprint, cell: (run) => run.instance_type ?? run.blueprint },
  { id: "provider", title: "Where", width: "9.4rem", by: (run) => run.provider, cell: (run) => [run.provider, run.availability_zone].filter(Boolean).join(" · ") },
  { id: "launched", title: "Launched", width: "8.4rem", wide: true, by: (run) => run.launched_at ?? "", cell: (run) => (run.launched_at ? <span title={absolute(run.launched_at)}>{day(run.launched_at)}</span> : <span className="muted">never</span>) },
  { id: "launch", title: "Launch", width: "5.2rem", number: true, by: (run) => run.launch_duration_seconds ?? -1, cell: (run) => <Took of={run.launch_duration_seconds} /> },
  { id: "ran", title: "Ran for", width: "6.2rem", number: true, by: (run) => run.total_runtime_seconds ?? -1, cell: (run) => <Took of={run.total_runtime_seconds} /> },
  { id: "end", title: "End", width: "5.2rem", number: true, wide: true, by: (run) => run.termination_duration_seconds ?? -1, cell: (run) => <Took of={run.termination_duration_seconds} /> },
  { id: "reason", title: "Reason", width: "9rem", by: (run) => run.termination_reason ?? "", cell: (run) => run.termination_reason?.replaceAll("_", " ") ?? <span className="muted">not said</span> },
  {
    id: "proof",
    title: "Confirmed by",
    width: "11rem",
    wide: true,
    by: (run) => run.confirmation_method ?? "",
    cell: (run) => (run.confirmation_method ? <span className="proof">{run.confirmation_method.replaceAll("_", " ")}</span> : <span className="proof" data-proof="none">nobody</span>),
  },
  { id: "ended", title: "Ended", width: "5rem", number: true, by: (run) => run.terminated_at, cell: (run) => <Ago time={run.terminated_at} /> },
];

function Took({ of }: { of: number | null | undefined }) {
  return typeof of === "number" ? <Seconds of={of} /> : <span className="muted">–</span>;
}

export default function HistoryScreen() {
  const [params, setParams] = useSearchParams();
  const q = params.get("q") ?? "";
  const pages = usePages({
    key: [...keys.runs, q],
    read: (asked) => runsList({ query: { ...asked, ...(q ? { q } : {}) } }),
    placeholderData: (before) => before,
  });
  useEffect(() => {
    document.title = "History · Berth";
  }, []);
  const { rows: runs, none, loading, error } = pages;
  return (
    <>
      <div className="head">
        <h1>
          History<span className="n">{sizeOf(pages)}</span>
        </h1>
        <label className="field">
          <Icon name="search" />
          <span className="sr">Search finished lives by name</span>
          <input data-search="" type="search" placeholder="Name" value={q} onChange={(event) => setParams(event.target.value ? { q: event.target.value } : {}, { replace: true })} />
          <kbd>/</kbd>
        </label>
      </div>
      {error && <Failed what="History could not be read" error={error} asOf={pages.readAt} onRetry={pages.retry} />}
      {loading && <Bones label="Loading history" cols="1rem 12rem 8rem 9rem 8rem 1fr" />}
      {none && (
        <Empty title={q ? `No finished life is named like ${q}` : "Nothing has ended yet"}>
          <p className="muted">{q ? "Living instances are on their own page." : "When an instance is terminated, its life stays here: how long it ran, why it ended, and who confirmed it."}</p>
          {q && <Button onClick={() => setParams({})}>Clear search</Button>}
        </Empty>
      )}
      {runs.length > 0 && <DataTable label="Finished lives, the latest end first" rows={runs} columns={COLUMNS} keyOf={(run) => run.run_id} stale={Boolean(error)} partial={pages.next !== null} />}
      <More next={pages.next}>Earlier lives</More>
    </>
  );
}

/** One finished life, with everything that happened in it. */

import { useQuery } from "@tanstack/react-query";
import { useEffect } from "react";
import { Link, useParams } from "wouter";

import { instancesHistory, type Run, runsGet } from "@/api/client";
import { Refusal } from "@/api/problems";
import { absolute } from "@/lib/time";
import { keys } from "@/live/queries";
import { LinkButton } from "@/parts/Button";
import { EventList } from "@/parts/EventList";
import { Bones, Empty, Failed } from "@/parts/States";
import { Badge } from "@/parts/Status";
import { Seconds } from "@/parts/Time";
import { useLifecycle } from "@/lib/lifecycle";

export default function RunScreen() {
  const { id = "" } = useParams<{ id: string }>();
  const { data: run, error, isPending, refetch } = useQuery({ queryKey: [...keys.runs, "one", id], queryFn: async () => (await runsGet({ path: { run_id: id } })).data });
  useEffect(() => {
    document.title = `${run?.name ?? "History"} · Berth`;
  }, [run?.name]);
  if (isPending) return <Bones label="Loading the life" rows={5} cols="12rem 12rem 1fr" />;
  if (error instanceof Refusal && error.problem.status === 404) {
    return (
      <Empty page title="There is no such finished life">
        <p className="muted">It may still be alive.</p>
        <div className="actions">
          <LinkButton href="/history">History</LinkButton>
          <LinkButton href={`/instances/${id}`}>Look among the living</LinkButton>
        </div>
      </Empty>
    );
  }
  if (error || run === undefined) return <Failed what="The life could not be read" error={error} onRetry={() => void refetch()} />;
  return <Page run={run} />;
}

function Page({ run }: { run: Run }) {
  const table = useLifecycle();
  const ended = [...table.final][0] ?? "ended";
  const { data, error, refetch } = useQuery({
    queryKey: [...keys.history(run.instance_id), "life"],
    queryFn: async () => (await instancesHistory({ path: { key: run.instance_id }, query: { page_size: 200 } })).data,
  });
  return (
    <>
      <p className="crumb">
        <Link href="/history">History</Link> / {run.name}
      </p>
      <div className="title">
        <h1>{run.name}</h1>
        <Badge status={ended} />
        <p className="facts-line">
          {run.instance_type ?? run.blueprint} on {[run.provider, run.availability_zone].filter(Boolean).join(" ")}, ended {absolute(run.terminated_at)}
        </p>
      </div>
      <div className="tabs-rule" />
      <div className="split">
        <div>
          <section className="part" aria-labelledby="life">
            <header>
              <h2 id="life">Life</h2>
              <span className="muted">times in UTC</span>
            </header>
            {typeof run.total_runtime_seconds === "number" && (
              <p className="elapsed">
                <Seconds of={run.total_runtime_seconds} />
                <span className="usual muted">in service</span>
              </p>
            )}
            {error && <Failed what="The events could not be read" error={error} onRetry={() => void refetch()} />}
            <EventList events={data?.items ?? []} />
            {data?.next_page_token && <p className="muted">The latest {data.items.length} are shown.</p>}
          </section>
        </div>
        <RunFacts run={run} endedBy={data?.items.find((event) => event.operation_id !== null)?.operation_id ?? null} />
      </div>
    </>
  );
}

/** `endedBy`: the operation of the latest event; its page leads to its workflow. */
function RunFacts({ run, endedBy }: { run: Run; endedBy: string | null }) {
  const rows: [string, React.ReactNode][] = [
    ["Reason", run.termination_reason?.replaceAll("_", " ") ?? "not said"],
    ["Confirmed", run.confirmation_method ? <span className="proof">{run.confirmation_method.replaceAll("_", " ")}</span> : <span className="proof" data-proof="none">nobody</span>],
    ["Launched", run.launched_at ? absolute(run.launched_at) : "never"],
    ["Ended", absolute(run.terminated_at)],
    ["Launch took", typeof run.launch_duration_seconds === "number" ? <Seconds of={run.launch_duration_seconds} /> : "–"],
    ["End took", typeof run.termination_duration_seconds === "number" ? <Seconds of={run.termination_duration_seconds} /> : "–"],
    ["Id", <code key="id">{run.instance_id}</code>],
    ["Run", <code key="run">{run.run_id}</code>],
  ];
  if (run.cloud_instance_id) rows.push(["Provider id", <code key="cloud">{run.cloud_instance_id}</code>]);
  if (endedBy !== null) rows.push(["Ended by", <Link key="op" href={`/operations/${endedBy}`}>its last operation</Link>]);
  return (
    <section className="facts" aria-label="Facts">
      <h2>Life</h2>
      <dl>
        {rows.map(([label, value]) => (
          <Row key={label} label={label} value={value} />
        ))}
      </dl>
    </section>
  );
}

function Row({ label, value }: { label: string; value: React.ReactNode }) {
  return (
    <>
      <dt>{label}</dt>
      <dd>{value}</dd>
    </>
  );
}

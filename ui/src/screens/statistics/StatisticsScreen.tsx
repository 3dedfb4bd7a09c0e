/** Figures of the whole installation, each plot with its table. */

import { useQuery } from "@tanstack/react-query";
import { lazy, Suspense, useEffect } from "react";

import { adminStats } from "@/api/client";
import { useLifecycle } from "@/lib/lifecycle";
import { statusLook, statusWord, words } from "@/lib/look";
import { duration } from "@/lib/time";
import { keys, useInterval } from "@/live/queries";
import { Bones, Failed } from "@/parts/States";
import { Figures, Seconds } from "@/parts/Time";

import type { Bar } from "./Plot";
import { Figure } from "./Figure";

const Plot = lazy(() => import("./Plot"));

interface Quantiles {
  p50: number | null;
  p95: number | null;
  p99: number | null;
}

export interface Stats {
  totals: Record<string, number>;
  by_status: Record<string, number>;
  by_provider: Record<string, number>;
  by_blueprint: Record<string, number>;
  provisioning: Record<string, number>;
  billing: Record<string, number>;
  operations: Record<string, number>;
  durations: Record<string, Quantiles>;
  failures: Record<string, unknown>[];
  needs_you: number;
}

export default function StatisticsScreen() {
  const every = useInterval(10_000);
  const { data, error, isPending, refetch, dataUpdatedAt } = useQuery({
    queryKey: keys.stats,
    queryFn: async () => (await adminStats()).data as unknown as Stats,
    refetchInterval: every,
  });
  useEffect(() => {
    document.title = "Statistics · Berth";
  }, []);
  return (
    <>
      <div className="head">
        <h1>Statistics</h1>
        <span className="muted">of this installation, all zeros included</span>
      </div>
      {error && <Failed what="The statistics could not be read" error={error} asOf={dataUpdatedAt || null} onRetry={() => void refetch()} />}
      {isPending && !error && <Bones label="Loading statistics" rows={6} cols="1rem 12rem 1fr" />}
      {data && <Page stats={data} />}
    </>
  );
}

function Page({ stats }: { stats: Stats }) {
  const table = useLifecycle();
  const statuses: Bar[] = Object.entries(stats.by_status)
    .filter(([status]) => !table.final.has(status))
    .map(([status, count]) => ({ name: statusWord(status), value: count, colour: `var(--${statusLook(status).hue}-solid)` }));
  const durations = Object.entries(stats.durations).filter(([, quantiles]) => quantiles.p50 !== null);
  return (
    <>
      <dl className="totals">
        {Object.entries(stats.totals).map(([name, value]) => (
          <div key={name}>
            <dd>{value}</dd>
            <dt>{name}</dt>
          </div>
        ))}
      </dl>
      <div className="figures">
        <Figure title="Instances by status" rows={statuses.map((bar) => [bar.name, bar.value])} heads={["Status", "Instances"]}>
          <Drawn bars={statuses} unit="instances" />
        </Figure>
        <Figure title="Operations by result" rows={entries(stats.operations)} heads={["Result", "Operations"]}>
          <Drawn bars={barsOf(stats.operations)} unit="operations" />
        </Figure>
        <Durations durations={durations} />
        <Figure title="Instances by provider" rows={entries(stats.by_provider)} heads={["Provider", "Instances"]} none="No instance exists.">
          <Drawn bars={barsOf(stats.by_provider)} unit="instances" />
        </Figure>
        <Figure title="Instances by blueprint" rows={entries(stats.by_blueprint)} heads={["Blueprint", "Instances"]} none="No instance exists.">
          <Drawn bars={barsOf(stats.by_blueprint)} unit="instances" />
        </Figure>
        <Failures failures={stats.failures} />
        <Figure title="Provisioning" rows={entries(stats.provisioning)} heads={["Provisioning", "Instances"]} />
        <Figure title="Billing" rows={entries(stats.billing)} heads={["Billing", "Instances"]} />
      </div>
    </>
  );
}

function entries(counts: Record<string, number>): [string, number][] {
  return Object.entries(counts).map(([name, count]) => [words(name), count]);
}

function barsOf(counts: Record<string, number>): Bar[] {
  return entries(counts).map(([name, value]) => ({ name, value, colour: "var(--ink-2)" }));
}

function Drawn({ bars, unit, format }: { bars: Bar[]; unit: string; format?: (value: number) => string }) {
  return (
    <Suspense fallback={<div style={{ height: bars.length * 24 + 30 }} aria-busy="true" />}>
      <Plot bars={bars} unit={unit} {...(format ? { format } : {})} />
    </Suspense>
  );
}

function Durations({ durations }: { durations: [string, Quantiles][] }) {
  const rows = durations.flatMap(([name, quantiles]) =>
    (["p50", "p95", "p99"] as const).map((key): [string, number] => [`${words(name.replace("_seconds", ""))} ${key}`, quantiles[key] ?? 0]),
  );
  return (
    <Figure title="How long it takes" rows={rows.map(([name, value]) => [name, <Seconds key={name} of={value} />])} heads={["Measure", "Time"]} none="Nothing was launched yet.">
      <Drawn bars={rows.map(([name, value]) => ({ name, value, colour: "var(--ink-2)" }))} unit="seconds" format={(value) => duration(value).map((part) => part.join(" ")).join(" ")} />
    </Figure>
  );
}

function Failures({ failures }: { failures: Record<string, unknown>[] }) {
  const heads = Object.keys(failures[0] ?? {});
  return (
    <Figure
      title="Failures by operation, provider and cause"
      heads={heads.map(words)}
      rows={failures.map((failure) => heads.map((head) => cellOf(failure[head])))}
      none="Nothing has failed."
    />
  );
}

function cellOf(value: unknown): React.ReactNode {
  if (typeof value === "number" && !Number.isInteger(value)) return <Figures of={duration(value)} />;
  return value === null || value === undefined ? "–" : String(value);
}

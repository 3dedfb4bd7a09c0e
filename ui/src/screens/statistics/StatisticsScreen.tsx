/** Figures of the whole installation, each plot with its table. */

import { useQuery } from "@tanstack/react-query";
import { type ReactNode, useEffect } from "react";

import { adminStats, type Statistics } from "@/api/client";
import { useLifecycle } from "@/lib/lifecycle";
import { statusLook, statusWord, words } from "@/lib/look";
import { useBarred } from "@/lib/places";
import { keys, useInterval } from "@/live/queries";
import { Barred, Bones, Failed } from "@/parts/States";

import { Drawn } from "./Drawn";
import { Figure } from "./Figure";
import { ByProvider, FailedSteps, Feed, Hourly, Waiting } from "./OverTime";
import type { Bar } from "./Plot";

export default function StatisticsScreen() {
  const refused = useBarred("/statistics");
  const every = useInterval(10_000);
  const { data, error, isPending, refetch, dataUpdatedAt } = useQuery({
    queryKey: keys.stats,
    queryFn: async () => (await adminStats()).data,
    refetchInterval: every,
    enabled: refused === null,
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
      {refused && <Barred what="The statistics are" reason={refused} />}
      {error && <Failed what="The statistics could not be read" error={error} asOf={dataUpdatedAt || null} onRetry={() => void refetch()} />}
      {isPending && !error && !refused && <Bones label="Loading statistics" rows={6} cols="1rem 12rem 1fr" />}
      {data && <Page stats={data} />}
    </>
  );
}

function Page({ stats }: { stats: Statistics }) {
  const table = useLifecycle();
  const statuses: Bar[] = Object.entries(stats.by_status)
    .filter(([status]) => !table.final.has(status))
    .map(([status, count]) => ({ name: statusWord(status), value: count, colour: `var(--${statusLook(status).hue}-solid)` }));
  return (
    <>
      <dl className="totals">
        {Object.entries(stats.totals).map(([name, value]) => (
          <div key={name}>
            <dd>{value}</dd>
            <dt>{value === 1 ? name.replace(/s$/, "") : name}</dt>
          </div>
        ))}
      </dl>
      <Hourly hours={stats.hourly} />
      <div className="figures">
        <Figure title="Instances by status" rows={statuses.map((bar) => [bar.name, bar.value])} heads={["Status", "Instances"]}>
          <Drawn bars={statuses} unit="instances" />
        </Figure>
        <Waiting queue={stats.queue} />
        <Counts title="Operations by result" by="Result" of={stats.operations} what="Operations" />
        <Feed stats={stats} />
        <ByProvider title="How long a launch takes" of="launch_seconds" providers={stats.providers} />
        <ByProvider title="How long a termination takes" of="termination_seconds" providers={stats.providers} />
        <FailedSteps failures={stats.failures_by_step} />
        <Failures failures={stats.failures} />
        <Counts title="Instances by provider" by="Provider" of={stats.by_provider} what="Instances" none="No instance exists." />
        <Counts title="Instances by blueprint" by="Blueprint" of={stats.by_blueprint} what="Instances" none="No instance exists." />
        <Counts title="Provisioning" by="Provisioning" of={stats.provisioning} what="Instances" />
        <Counts title="Billing" by="Billing" of={stats.billing} what="Instances" />
      </div>
    </>
  );
}

function Counts({ title, by, of, what, none }: { title: string; by: string; of: Record<string, number>; what: string; none?: string }) {
  const rows = Object.entries(of).map(([name, count]): [string, number] => [words(name), count]);
  return (
    <Figure title={title} rows={rows} heads={[by, what]} {...(none === undefined ? {} : { none })}>
      <Drawn bars={rows.map(([name, value]) => ({ name, value, colour: "var(--ink-2)" }))} unit={what.toLowerCase()} />
    </Figure>
  );
}

function Failures({ failures }: { failures: Statistics["failures"] }) {
  return (
    <Figure
      title="Failures by operation, provider and cause"
      note="last 24 hours"
      heads={["Operation", "Provider", "Cause", "Failures"]}
      rows={failures.map((one): ReactNode[] => [words(one.kind), one.provider, one.code ?? "–", one.count])}
      none="Nothing has failed in the last 24 hours."
    />
  );
}

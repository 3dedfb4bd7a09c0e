/** Figures that the server counts by provider, by step and by hour; each plot with its table. */

import { lazy, Suspense } from "react";

import type { Hour, ProviderFigures, Statistics, StepFailureCount } from "@/api/client";
import { words } from "@/lib/look";
import { duration, hour, plain } from "@/lib/time";
import { Seconds } from "@/parts/Time";

import { Figure } from "./Figure";
import { Drawn } from "./Drawn";
import type { Point, Series } from "./Plot";

const Stacked = lazy(async () => ({ default: (await import("./Plot")).Stacked }));
const Grouped = lazy(async () => ({ default: (await import("./Plot")).Grouped }));

const KINDS = [
  { key: "launches", name: "Launches", colour: "var(--emerald-solid)" },
  { key: "terminations", name: "Terminations", colour: "var(--zinc-solid)" },
  { key: "failures", name: "Failures", colour: "var(--red-solid)" },
] as const;

export function Hourly({ hours }: { hours: readonly Hour[] }) {
  const points: Point[] = hours.map((one) => ({ name: hour(one.hour), ...Object.fromEntries(KINDS.map(({ key, name }) => [name, one[key]])) }));
  const sums = KINDS.map(({ key, name }) => `${name} ${hours.reduce((sum, one) => sum + one[key], 0)}`);
  return (
    <Figure
      title="The last 24 hours"
      note={sums.join(" · ")}
      heads={["Hour (UTC)", ...KINDS.map((kind) => kind.name), "All changes of status"]}
      rows={hours.map((one) => [hour(one.hour), ...KINDS.map(({ key }) => one[key]), one.transitions])}
    >
      <Suspense fallback={<div style={{ height: 198 }} aria-busy="true" />}>
        <Stacked points={points} series={KINDS} told={`By hour: ${sums.join(", ")}`} />
      </Suspense>
    </Figure>
  );
}

type Measure = "launch_seconds" | "termination_seconds";

const SHARES: (Series & { key: "p50" | "p95" | "p99" })[] = [
  { key: "p50", name: "p50", colour: "var(--ink)" },
  { key: "p95", name: "p95", colour: "var(--ink-3)" },
  { key: "p99", name: "p99", colour: "var(--line-control)" },
];

/** Half, 95 and 99 of a hundred were faster than this. */
export function ByProvider({ title, of, providers }: { title: string; of: Measure; providers: readonly ProviderFigures[] }) {
  const measured = providers.filter((one) => one[of].count > 0);
  const points: Point[] = measured.map((one) => ({ name: words(one.provider), ...Object.fromEntries(SHARES.map(({ key }) => [key, one[of][key] ?? 0])) }));
  const said = (seconds: number): string => plain(duration(seconds));
  const told = measured.map((one) => `${one.provider}: ${SHARES.map(({ key }) => `${key} ${said(one[of][key] ?? 0)}`).join(", ")}`).join("; ");
  return (
    <Figure
      title={title}
      heads={["Provider", ...SHARES.map((share) => share.name), "Measured"]}
      rows={measured.map((one) => [words(one.provider), ...SHARES.map(({ key }) => <Time key={key} of={one[of][key]} />), one[of].count])}
      none="Nothing was measured yet."
    >
      <Suspense fallback={<div style={{ height: 100 }} aria-busy="true" />}>
        <Grouped points={points} series={SHARES} told={told} format={said} />
      </Suspense>
    </Figure>
  );
}

function Time({ of }: { of: number | null }) {
  return of === null ? "–" : <Seconds of={of} />;
}

/** The plot names the worst; the table has every step and provider. */
export function FailedSteps({ failures }: { failures: readonly StepFailureCount[] }) {
  const providers = [...new Set(failures.map((one) => one.provider))].sort();
  const steps = [...new Set(failures.map((one) => one.step ?? ""))];
  const count = (step: string, provider: string): number => failures.find((one) => (one.step ?? "") === step && one.provider === provider)?.count ?? 0;
  const name = (step: string): string => (step === "" ? "Before any step" : words(step));
  const bars = failures.map((one) => ({ name: `${name(one.step ?? "")} · ${one.provider}`, value: one.count, colour: "var(--red-solid)" }));
  return (
    <Figure
      title="Failures by step and provider"
      note="last 24 hours"
      heads={["Step", ...providers.map(words)]}
      rows={steps.map((step) => [name(step), ...providers.map((provider) => count(step, provider))])}
      none="Nothing has failed in the last 24 hours."
    >
      <Drawn bars={bars.slice(0, 12)} unit="failures" names={190} />
    </Figure>
  );
}

export function Waiting({ queue }: { queue: Statistics["queue"] }) {
  const { oldest_pending_seconds: oldest, ...counts } = queue;
  const rows = Object.entries(counts).map(([name, value]): [string, number] => [words(name), Number(value)]);
  return (
    <Figure
      title="Operations that are not over"
      note={oldest === null ? "nothing waits to begin" : `the oldest waits ${plain(duration(oldest))} to begin`}
      heads={["Stage", "Operations"]}
      rows={rows}
    >
      <Drawn bars={rows.map(([name, value]) => ({ name, value, colour: "var(--ink-2)" }))} unit="operations" />
    </Figure>
  );
}

/** The feed of the process that answered, the loops behind it, and what was told to the outside. */
export function Feed({ stats }: { stats: Statistics }) {
  const { sockets, notifications } = stats;
  const loops = Object.entries(stats.loops).map(([name, seconds]): [string, number] => [words(name.replace("_lag_seconds", "")), seconds]);
  return (
    <>
      <Figure
        title="Live feed"
        heads={["Measure", "Now"]}
        rows={[
          ["Open sockets", sockets.open],
          ["Events not sent yet", sockets.feed_lag_events],
          ["The oldest of them waits", <Time key="lag" of={sockets.feed_lag_seconds} />],
          ["Notifications to be sent", notifications.pending],
          ["Notifications given up", notifications.dead],
        ]}
      />
      <Figure
        title="Loops, since their last sign of life"
        heads={["Loop", "Ago"]}
        rows={loops.map(([name, seconds]) => [name, <Seconds key={name} of={seconds} />])}
        none="No loop has spoken yet."
      >
        <Drawn bars={loops.map(([name, value]) => ({ name, value, colour: "var(--ink-2)" }))} unit="" names={150} format={(value) => plain(duration(value))} />
      </Figure>
    </>
  );
}

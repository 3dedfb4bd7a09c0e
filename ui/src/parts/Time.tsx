/** Times and durations as the design sets them, each with its absolute form on hover and focus. */

import { absolute, age, clock, duration, type Sounding, secondsBetween, ticking } from "@/lib/time";
import { useNow, useOwnNow } from "@/lib/clock";

export function Figures({ of }: { of: Sounding }) {
  return (
    <span className="q">
      {of.map(([figure, unit], index) => (
        <span key={unit}>
          {index > 0 && " "}
          {figure}
          <i>{unit}</i>
        </span>
      ))}
    </span>
  );
}

export function Seconds({ of }: { of: number }) {
  return <Figures of={duration(of)} />;
}

/** How long ago (or until), ticking. A text is the server's time, a number is the page's own. */
export function Ago({ time }: { time: string | number }) {
  const [server, own] = [useNow(), useOwnNow()];
  const now = typeof time === "string" ? server : own;
  const seconds = secondsBetween(time, now) ?? 0;
  return (
    <time dateTime={new Date(time).toISOString()} title={absolute(time)}>
      <Figures of={age(Math.abs(seconds))} />
    </time>
  );
}

/** Time since `from`, ticking every second. */
export function Elapsed({ from, until }: { from: string; until?: string | null }) {
  const now = useNow();
  const seconds = secondsBetween(from, until ?? now) ?? 0;
  return <Figures of={until ? duration(seconds) : ticking(seconds)} />;
}

/** A clock time of an operation, an event or a log; UTC is said once by the screen. */
export function Clock({ time }: { time: string }) {
  return (
    <time dateTime={time} title={absolute(time)}>
      {clock(time)}
    </time>
  );
}

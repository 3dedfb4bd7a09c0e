/** The steps of an operation against the clock. Solid happened, dashed is not yet, the bracket is usual. */

import type { OperationForm } from "@/api/client";
import { useNow } from "@/lib/clock";
import { duration, type Sounding } from "@/lib/time";

import { Icon, Spinner } from "./Icon";
import { Figures, Seconds } from "./Time";
import { type Segment, type StepRow, waterfallOf } from "./waterfallLayout";

const WORDS: Record<StepRow["state"], string> = { done: "done", failed: "failed", now: "under way", next: "not yet", skipped: "not reached" };
const percent = (value: number): string => `${value.toFixed(2)}%`;

export function Waterfall({ operation }: { operation: OperationForm }) {
  const now = useNow();
  const { rows, ticks, now: line } = waterfallOf(operation, now);
  const kinds = new Set(rows.flatMap((row) => row.segments.map((segment) => segment.kind)));
  if (rows.length === 0) return null;
  return (
    <>
      <ol className="fall">
        <li className="axis" aria-hidden="true">
          <span />
          <span />
          <span className="track">
            {ticks.map((tick) => (
              <span key={tick.at} style={{ left: percent(tick.at) }}>
                {line !== null && Math.abs(tick.at - line) < 6 ? null : <Figures of={tickFigures(tick.seconds)} />}
              </span>
            ))}
            {line !== null && <b style={{ left: percent(line) }}>now</b>}
          </span>
          <span className="num">took</span>
          <span className="usual">{rows.some((row) => row.usualSeconds) && "usually"}</span>
        </li>
        <li className="grid-lines" aria-hidden="true">
          {ticks.map((tick) => (
            <i key={tick.at} style={{ left: percent(tick.at) }} />
          ))}
          {line !== null && <i className="now" style={{ left: percent(line) }} />}
        </li>
        {rows.map((row, index) => (
          <Row key={index} row={row} />
        ))}
      </ol>
      <Key kinds={kinds} usual={rows.some((row) => row.usual !== null)} />
    </>
  );
}

/** Ticks are round: no ".0", and zero needs no unit below a second. */
function tickFigures(seconds: number): Sounding {
  if (seconds === 0) return [["0", "s"]];
  return duration(seconds).map(([figure, unit]) => [figure.replace(/\.0$/, ""), unit]);
}

function Row({ row }: { row: StepRow }) {
  return (
    <li data-step={row.state}>
      <span className="mark">
        {row.state === "now" ? <Spinner /> : row.state === "done" ? <Icon name="check" /> : row.state === "failed" ? <Icon name="x" /> : null}
        <span className="sr">{WORDS[row.state]}</span>
      </span>
      <span className="what">
        {row.title}
        <Note row={row} />
      </span>
      <span className="track" aria-hidden="true">
        {row.segments.map((segment, index) => (
          <Bar key={index} segment={segment} />
        ))}
        {row.usual && <span className="usual-mark" style={{ left: percent(row.usual.left), width: percent(row.usual.width) }} />}
      </span>
      <span className={row.late ? "num late" : "num"}>{row.tookSeconds !== null && <Seconds of={row.tookSeconds} />}</span>
      <span className="usual">
        {row.usualSeconds && (
          <>
            <Seconds of={row.usualSeconds.p50} />
            {row.usualSeconds.p95 > row.usualSeconds.p50 * 1.2 && (
              <>
                {" to "}
                <Seconds of={row.usualSeconds.p95} />
              </>
            )}
          </>
        )}
      </span>
    </li>
  );
}

function Note({ row }: { row: StepRow }) {
  const notes = [row.attempts > 1 && `${row.attempts} attempts`, row.late && "slower than usual", row.note].filter(Boolean);
  return notes.length > 0 ? <small title={row.error ?? undefined}>{notes.join(", ")}</small> : null;
}

function Bar({ segment }: { segment: Segment }) {
  return <span className="seg" data-seg={segment.kind} style={{ left: percent(segment.left), width: percent(segment.width) }} />;
}

function Key({ kinds, usual }: { kinds: ReadonlySet<Segment["kind"]>; usual: boolean }) {
  const rows: [boolean, Segment["kind"], string][] = [
    [kinds.has("done"), "done", "happened"],
    [kinds.has("failed"), "failed", "failed attempt"],
    [kinds.has("wait"), "wait", "waiting to try again"],
    [kinds.has("next"), "next", "not yet"],
  ];
  return (
    <p className="key" aria-hidden="true">
      {rows.map(([shown, kind, text]) =>
        shown ? (
          <span key={kind}>
            <span className="seg" data-seg={kind} />
            {text}
          </span>
        ) : null,
      )}
      {usual && (
        <span>
          <span className="usual-mark" />
          usual, p50 to p95
        </span>
      )}
    </p>
  );
}

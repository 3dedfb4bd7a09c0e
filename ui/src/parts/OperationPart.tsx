/** One operation as a section: who asked and when, is this normal, and its steps. */

import type { OperationForm } from "@/api/client";
import { useNow } from "@/lib/clock";
import { useLifecycle } from "@/lib/lifecycle";
import { resultLook } from "@/lib/look";
import { duration, secondsBetween, ticking } from "@/lib/time";

import { Out } from "./Button";
import { CopyButton } from "./States";
import { lateness, untaken } from "./Status";
import { Clock, Figures, Seconds } from "./Time";
import { Waterfall } from "./Waterfall";

export function useOperationLabel(kind: string): string {
  return useLifecycle().labels.get(kind) ?? kind;
}

export function OperationPart({ operation }: { operation: OperationForm }) {
  const label = useOperationLabel(operation.kind);
  const id = `op-${operation.id}`;
  return (
    <section className="part" aria-labelledby={id}>
      <header>
        <h2 id={id}>
          {label}
          {operation.retry_of && <span className="muted font-normal"> again</span>}
          {operation.forced && <span className="muted font-normal"> by force</span>}
        </h2>
        <span className="muted">
          by {operation.actor} at <Clock time={operation.created_at} /> UTC, <code title={operation.id}>{operation.id.slice(0, 13)}…</code>
        </span>
        <TemporalLink url={operation.temporal_url ?? null} />
      </header>
      <ElapsedLine operation={operation} />
      <Waterfall operation={operation} />
    </section>
  );
}

export function TemporalLink({ url, text = "Workflow in Temporal" }: { url: string | null; text?: string }) {
  if (!url) return null;
  return (
    <span className="actions">
      <Out href={url}>{text}</Out>
      <CopyButton text={url} label="Copy the link to Temporal" />
    </span>
  );
}

/** What the logs of every process have of it. */
export function TraceId({ of }: { of: OperationForm | undefined }) {
  if (!of?.trace_id) return null;
  return (
    <span className="trace">
      Trace <code title={of.trace_id}>{of.trace_id.slice(0, 8)}…</code>
      <CopyButton text={of.trace_id} label="Copy the trace id" />
    </span>
  );
}

const LATE = { fine: "", slow: ": slower than usual", stuck: ": past its deadline" };

/** Its times of being late and stuck are counted from when it was asked for. */
function NotBegun({ operation, now }: { operation: OperationForm; now: number }) {
  const seconds = untaken(operation, now);
  if (seconds === null) return <p className="muted mb-4">{operation.done ? "It never began." : "Asked, not started yet."}</p>;
  const late = lateness(operation, now);
  return (
    <p className="mb-4">
      <span className={late === "fine" ? "muted" : "late"}>
        Asked <Figures of={ticking(seconds)} /> ago, and no worker has taken it yet{LATE[late]}.
      </span>
    </p>
  );
}

function ElapsedLine({ operation }: { operation: OperationForm }) {
  const now = useNow();
  if (operation.started_at === null || operation.started_at === undefined) return <NotBegun operation={operation} now={now} />;
  const seconds = secondsBetween(operation.started_at, operation.finished_at ?? now) ?? 0;
  const { usual } = operation;
  const late = lateness(operation, now);
  return (
    <p className="elapsed">
      <Figures of={operation.done ? duration(seconds) : ticking(seconds)} />
      <span className={late === "fine" ? "usual muted" : "usual late"}>
        {operation.done ? resultLook(operation.status).until ?? operation.status : late === "stuck" ? "elapsed, past its deadline" : late === "slow" ? "elapsed, slower than usual" : "elapsed"}
        {usual && (
          <>
            , usually <Seconds of={usual.p50} />
            {!operation.done && usual.p95 > usual.p50 * 1.1 && (
              <>
                , 95 of 100 under <Seconds of={usual.p95} />
              </>
            )}
          </>
        )}
      </span>
    </p>
  );
}

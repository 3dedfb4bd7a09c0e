/** What stands in the columns of a row. */

import type { Instance, OperationForm } from "@/api/client";
import { useNow, useOwnNow } from "@/lib/clock";
import { healthReasonOf } from "@/api/trust";
import { believed } from "@/lib/health";
import { ailing, isWaiting, words } from "@/lib/look";
import { age, duration, plain, secondsBetween } from "@/lib/time";
import type { Held } from "@/live/merge";
import { useAsk, useFlash } from "@/live/store";
import { NoticeBrief } from "@/parts/Notices";
import { InstanceStatus, lateness, Stuck, untaken } from "@/parts/Status";
import { Ago, Elapsed, Figures, Seconds } from "@/parts/Time";

const FLASH_WORDS_MS = 10_000;

export function StateCell({ held, operation }: { held: Held; operation: OperationForm | undefined }) {
  const { record } = held;
  const now = useNow();
  const brief = operation ?? record.current_operation;
  const late = lateness(brief, now);
  return (
    <div className="state">
      <InstanceStatus instance={record} operation={operation} />
      {late === "stuck" && brief?.stuck_at && <Stuck since={brief.stuck_at} />}
      <Detail held={held} operation={operation} />
      {brief && !brief.done && brief.started_at && late !== "stuck" && (
        <Took from={brief.started_at} usual={brief.usual?.p50 ?? null} late={late === "slow"} />
      )}
    </div>
  );
}

function Took({ from, usual, late }: { from: string; usual: number | null; late: boolean }) {
  return (
    <span className={late ? "took late" : "took"}>
      <Elapsed from={from} />
      {usual !== null && (
        <>
          {late ? ", usually " : " "}
          <span className={late ? undefined : "muted"}>
            {!late && "of "}
            <Seconds of={usual} />
          </span>
        </>
      )}
    </span>
  );
}

function lower(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}

/** One line beside the badge: the cause, the step, or who changed it just now. */
function Detail({ held, operation }: { held: Held; operation: OperationForm | undefined }) {
  const now = useOwnNow();
  const serverTime = useNow();
  const { record } = held;
  const ask = useAsk(record.id);
  const flash = useFlash(record.id);
  if (held.gone !== null) return <GoneDetail record={record} />;
  if (ask !== undefined) return <span className="detail">{ask.phase === "unconfirmed" ? "asked, no answer yet" : "asked, not started yet"}</span>;
  if (record.error_message) {
    return (
      <span className="detail fault-text" title={record.error_message}>
        {record.error_message}
      </span>
    );
  }
  const current = record.current_operation;
  if (current && !current.done) {
    const lying = untaken(operation ?? current, serverTime);
    if (lying !== null) return <span className="detail">{`asked ${plain(age(lying))} ago, no worker has taken it yet`}</span>;
    const message = (operation ?? current).progress?.message ?? (isWaiting(current.status) ? "asked, not started yet" : null);
    return message === null ? null : <span className="detail">{lower(message)}</span>;
  }
  if (flash && now - flash.at < FLASH_WORDS_MS) return <span className="detail">{`changed by ${flash.actor} just now`}</span>;
  if (record.notice || record.hold || record.maintenance?.until) return <NoticeBrief instance={record} />;
  if (ailing(believed(record, serverTime))) return <AilingDetail record={record} />;
  if (record.pending_changes.length > 0) {
    return <span className="proof" data-proof="none">{`${record.pending_changes.length} ${record.pending_changes.length === 1 ? "change" : "changes"} not applied`}</span>;
  }
  return null;
}

/** The status stays plain: what is wrong is said in words beside it. */
function AilingDetail({ record }: { record: Instance }) {
  const reason = healthReasonOf(record);
  return (
    <span className="detail" title={reason ?? undefined}>
      {reason ?? "does not answer as it should"}
      {record.health_checked_at && (
        <>
          , checked <Ago time={record.health_checked_at} /> ago
        </>
      )}
    </span>
  );
}

function GoneDetail({ record }: { record: Instance }) {
  const seconds = secondsBetween(record.launch_confirmed_at ?? record.created_at, record.updated_at);
  return <span className="detail">{seconds !== null && seconds > 0 ? <>after <Figures of={duration(seconds)} /></> : "ended"}</span>;
}

export function whatOf(record: Instance): string {
  const version = record.spec.params["version"];
  const size = record.instance_type ?? (typeof version === "string" || typeof version === "number" ? String(version) : "");
  return [record.blueprint, size].filter(Boolean).join(" ");
}

export function whereOf(record: Instance): string {
  return [record.provider, record.host ?? record.availability_zone].filter(Boolean).join(" · ");
}

export function roleOf(record: Instance): string | null {
  return record.spec.members > 1 && record.role !== "standalone" ? words(record.role).toLowerCase() : null;
}

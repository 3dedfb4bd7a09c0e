/** What keeps an instance as it is: a hold with its end, maintenance with its end. Beside the status, never in it. */

import type { Hold, Instance, MaintenanceForm } from "@/api/client";
import { useNow } from "@/lib/clock";
import { words } from "@/lib/look";
import { absolute, age, clock, shortDay } from "@/lib/time";

import { Icon } from "./Icon";
import { Ago, Figures } from "./Time";

export function Notices({ instance }: { instance: Instance }) {
  const hold = instance.hold ?? null;
  const maintenance = instance.maintenance ?? null;
  return (
    <>
      {instance.subscription === "cancelled" && instance.notice && (
        <div className="banner" data-hue="amber" role="status">
          <Icon name="lock" />
          <span>
            <b>Cancelled</b>: {instance.notice}.
          </span>
        </div>
      )}
      {hold && <HoldNotice hold={hold} paid={hold.cause === "billing" && instance.billing_status === "paid"} />}
      {maintenance && <MaintenanceNotice maintenance={maintenance} />}
    </>
  );
}

function HoldNotice({ hold, paid }: { hold: Hold; paid: boolean }) {
  return (
    <div className="banner" data-hue="amber" role="status">
      <Icon name="pause" />
      <span>
        <b>Held by {hold.cause === hold.by ? hold.cause : `${hold.cause}, ${hold.by}`}</b> since <span title={absolute(hold.since)}>{shortDay(hold.since)}</span>
        {hold.note && `: ${hold.note}`}.{" "}
        {hold.deletes_at ? (
          <>
            It is deleted on <span title={absolute(hold.deletes_at)}>{shortDay(hold.deletes_at)}</span>, <Distance to={hold.deletes_at} />, if the hold still stands.
          </>
        ) : (
          !paid && (hold.cause === "billing" ? "It stays until a payment succeeds." : "It stays until somebody decides.")
        )}
      </span>
    </div>
  );
}

function MaintenanceNotice({ maintenance }: { maintenance: MaintenanceForm }) {
  const now = useNow();
  const over = maintenance.until && new Date(maintenance.until).getTime() < now;
  return (
    <div className="banner" data-hue={over ? "amber" : "violet"} role="status">
      <Icon name="wrench" />
      <span>
        <b>Under maintenance</b> by {maintenance.by} for <Ago time={maintenance.since} />
        {maintenance.note && `: ${maintenance.note}`}.{" "}
        {maintenance.until && (over ? <>It should have ended <Ago time={maintenance.until} /> ago.</> : <>Until <UntilText time={maintenance.until} />.</>)}
      </span>
    </div>
  );
}

/** The distance, before or after. */
function Distance({ to }: { to: string }) {
  const now = useNow();
  const seconds = (new Date(to).getTime() - now) / 1000;
  return seconds > 0 ? (
    <>
      in <Figures of={age(seconds)} />
    </>
  ) : (
    <>overdue</>
  );
}

/** Today a clock says enough; otherwise the day. */
function UntilText({ time }: { time: string }) {
  const now = useNow();
  const soon = Math.abs(new Date(time).getTime() - now) < 20 * 3_600_000;
  return <span title={absolute(time)}>{soon ? `${clock(time).slice(0, 5)} UTC` : shortDay(time)}</span>;
}

/** The same in a few words, for a row. */
export function NoticeBrief({ instance }: { instance: Instance }) {
  const hold = instance.hold ?? null;
  const maintenance = instance.maintenance ?? null;
  if (instance.notice) {
    return (
      <span className="detail" title={instance.notice}>
        {instance.notice}
      </span>
    );
  }
  if (hold) {
    return (
      <span className="detail" title={hold.note ?? undefined}>
        {hold.note ?? `by ${words(hold.cause).toLowerCase()}`}
        {hold.deletes_at && (
          <>
            {" "}
            · deleted {shortDay(hold.deletes_at)}, <Distance to={hold.deletes_at} />
          </>
        )}
      </span>
    );
  }
  if (maintenance?.until) {
    return (
      <span className="detail" title={maintenance.note ?? undefined}>
        until <UntilText time={maintenance.until} />
      </span>
    );
  }
  return null;
}

/** Says when what is on the screen may be old, and when an answer is overdue. Nothing while all is well. */

import { useEffect, useState } from "react";

import { useOwnNow } from "@/lib/clock";
import { ticking } from "@/lib/time";
import { lookAfter } from "@/live/act";
import type { Ask } from "@/live/optimism";
import { useRevision } from "@/live/rows";
import { asks, useLink } from "@/live/store";
import { reconnectNow } from "@/live/sync";
import { Button } from "@/parts/Button";
import { Icon } from "@/parts/Icon";
import { Figures } from "@/parts/Time";

/** A short cut heals before anybody need read about it. */
const PATIENCE_MS = 2_000;
const OVERDUE_MS = 30_000;

export function LinkBanner() {
  const link = useLink((live) => live.link);
  useRevision(asks);
  const now = useOwnNow();
  const paused = useLasting(link.state === "paused", PATIENCE_MS);
  const overdue = [...asks.values()].filter((ask) => now - ask.askedAt > OVERDUE_MS);
  return (
    <>
      {paused && <PausedBanner nextTryAt={link.nextTryAt} now={now} />}
      {overdue.length > 0 && <OverdueBanner asks={overdue} now={now} />}
    </>
  );
}

function PausedBanner({ nextTryAt, now }: { nextTryAt: number | null; now: number }) {
  const left = nextTryAt === null ? 0 : Math.max(0, Math.ceil((nextTryAt - now) / 1000));
  return (
    <div className="banner" data-hue="amber" role="status">
      <Icon name="pause" />
      <span>
        Live updates paused, refreshing every <Figures of={[["5", "s"]]} />.{" "}
        {left > 0 ? (
          <span aria-hidden="true">
            Next try in <Figures of={[[String(left), "s"]]} />.
          </span>
        ) : (
          "Trying now."
        )}
      </span>
      <Button size="sm" onClick={reconnectNow}>
        Reconnect now
      </Button>
    </div>
  );
}

/** One line, for a request may have been about two hundred. */
function OverdueBanner({ asks: late, now }: { asks: readonly Ask[]; now: number }) {
  const oldest = Math.min(...late.map((ask) => ask.askedAt));
  const [ask] = late;
  return (
    <div className="banner" data-hue="amber" role="status">
      <Icon name="hourglass" />
      <span>
        {late.length === 1 ? `${ask?.label} of ${ask?.instanceName} is` : `What you asked of ${late.length} instances is`} not confirmed yet,{" "}
        <span aria-hidden="true">
          <Figures of={ticking((now - oldest) / 1000)} />
        </span>{" "}
        after you asked.
      </span>
      <Button size="sm" onClick={() => void Promise.all(late.map((one) => lookAfter(one.instanceId)))}>
        Ask the server
      </Button>
    </div>
  );
}

function useLasting(value: boolean, ms: number): boolean {
  const [lasting, setLasting] = useState(false);
  useEffect(() => {
    if (!value) {
      setLasting(false);
      return undefined;
    }
    const timer = setTimeout(() => setLasting(true), ms);
    return () => clearTimeout(timer);
  }, [value, ms]);
  return lasting;
}

/** Health, beside the status and never inside it, with its age. */

import { useEffect } from "react";

import type { Instance } from "@/api/client";
import { healthReasonOf } from "@/api/trust";
import { useNow } from "@/lib/clock";
import { believed, outdated } from "@/lib/health";
import { ailing, healthIcon, healthWord, words } from "@/lib/look";
import { readBehind } from "@/live/sync";

import { Icon } from "./Icon";
import { Ago } from "./Time";

/** What is to be believed now. A list of many pages is not read again: the rows in sight are, once they are too old. */
function useHealth(instance: Instance): Instance["health"] {
  const now = useNow();
  const old = outdated(instance, now);
  const { id, health_checked_at: at } = instance;
  useEffect(() => {
    if (old && document.visibilityState === "visible") readBehind(id);
  }, [old, id, at]);
  return believed(instance, now);
}

/** In a row: the word and its age. */
export function HealthMark({ instance }: { instance: Instance }) {
  const health = useHealth(instance);
  if (instance.health_checked_at === null && !ailing(health)) return <span className="sr">not probed</span>;
  return (
    <span className="health" data-health={health} title={health === instance.health ? (healthReasonOf(instance) ?? undefined) : undefined}>
      <Icon name={healthIcon(health)} />
      {words(health)} {instance.health_checked_at && <Ago time={instance.health_checked_at} />}
    </span>
  );
}

/** Beside a title there is room for since when, when it was looked at, and why. */
export function HealthLine({ instance }: { instance: Instance }) {
  const health = useHealth(instance);
  const since = instance.health_since;
  const reason = healthReasonOf(instance);
  return (
    <span className="health" data-health={health}>
      <Icon name={healthIcon(health)} />
      <span className="health-words">
        {healthWord(health)}
        {typeof since === "string" && ailing(health) && (
          <>
            {" "}
            <Ago time={since} />
          </>
        )}
        {instance.health_checked_at && (
          <span className="muted">
            {" "}
            (checked <Ago time={instance.health_checked_at} /> ago)
          </span>
        )}
        {reason && ailing(health) && `: ${reason}`}
      </span>
    </span>
  );
}

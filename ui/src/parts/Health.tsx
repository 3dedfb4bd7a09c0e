/** Health, beside the status and never inside it, with its age. */

import type { Instance } from "@/api/client";
import { healthReasonOf } from "@/api/trust";
import { ailing, healthIcon, healthWord, words } from "@/lib/look";

import { Icon } from "./Icon";
import { Ago } from "./Time";

/** In a row: the word and its age. */
export function HealthMark({ instance }: { instance: Instance }) {
  if (instance.health_checked_at === null && !ailing(instance.health)) return <span className="sr">not probed</span>;
  return (
    <span className="health" data-health={instance.health} title={healthReasonOf(instance) ?? undefined}>
      <Icon name={healthIcon(instance.health)} />
      {words(instance.health)} {instance.health_checked_at && <Ago time={instance.health_checked_at} />}
    </span>
  );
}

/** Beside a title there is room for since when, when it was looked at, and why. */
export function HealthLine({ instance }: { instance: Instance }) {
  const since = instance.health_since;
  const reason = healthReasonOf(instance);
  return (
    <span className="health" data-health={instance.health}>
      <Icon name={healthIcon(instance.health)} />
      <span className="health-words">
        {healthWord(instance.health)}
        {typeof since === "string" && ailing(instance.health) && (
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
        {reason && ailing(instance.health) && `: ${reason}`}
      </span>
    </span>
  );
}

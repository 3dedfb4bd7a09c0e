/** Health, beside the status and never inside it, with its age. */

import type { Instance } from "@/api/client";
import { healthIcon, words } from "@/lib/look";

import { Icon } from "./Icon";
import { Ago } from "./Time";

export function HealthMark({ instance, prefix = "" }: { instance: Instance; prefix?: string }) {
  if (instance.health_checked_at === null && instance.health === "unknown" && prefix === "") return <span className="sr">not probed</span>;
  return (
    <span className="health" data-health={instance.health}>
      <Icon name={healthIcon(instance.health)} />
      {prefix ? `${prefix} ${words(instance.health).toLowerCase()}` : words(instance.health)}{" "}
      {instance.health_checked_at && <Ago time={instance.health_checked_at} />}
    </span>
  );
}

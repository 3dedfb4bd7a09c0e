/** Nothing to list: either there is nothing, or a filter hides it. */

import { useQuery } from "@tanstack/react-query";
import { useState } from "react";

import { freshKey, instancesCreate } from "@/api/client";
import { tell } from "@/api/problems";
import { blueprintsQuery, providersQuery } from "@/lib/catalogue";
import { statusWord } from "@/lib/look";
import { useLack } from "@/lib/me";
import { say } from "@/lib/toasts";
import { useUi } from "@/lib/ui";
import { takeRecords } from "@/live/store";
import { Button } from "@/parts/Button";
import { Command, Empty } from "@/parts/States";

import { type InstanceFilter, joinSearch, queryOf } from "./filters";

export function NoInstances() {
  const openCreate = useUi((ui) => ui.openCreate);
  const refused = useLack("operate");
  const { data: blueprints } = useQuery(blueprintsQuery);
  const { data: providers } = useQuery(providersQuery);
  const [busy, setBusy] = useState(false);
  const provider = providers?.find((one) => one.available);
  // Nothing has to be said of it, and there may be many of it: it keeps nothing that one would miss.
  const blueprint = blueprints?.find((one) => one.providers.includes(provider?.name ?? "") && (one.params_schema.required ?? []).length === 0 && one.max_members > 1) ?? blueprints?.[0];
  const demo = async (): Promise<void> => {
    if (blueprint === undefined || provider === undefined) return;
    setBusy(true);
    try {
      const { data } = await instancesCreate({
        headers: { "Idempotency-Key": freshKey() },
        body: { name: "demo", blueprint: blueprint.name, provider: provider.name },
      });
      if (data.instance) takeRecords([data.instance]);
    } catch (error) {
      say({ id: "demo", tone: "refused", title: "The demo was refused", detail: tell(error).detail });
    } finally {
      setBusy(false);
    }
  };
  return (
    <Empty title="No instances yet">
      <p className="muted">
        {blueprint && provider ? `A demo (${blueprint.title.toLowerCase()} on ${provider.title.toLowerCase()}) starts in a few seconds and can be terminated like any other.` : "Create the first one."}
      </p>
      <div className="actions">
        <Button kind="primary" busy={busy} off={blueprint === undefined || provider === undefined} reason={refused} onClick={() => void demo()}>
          Start a demo instance
        </Button>
        <Button reason={refused} onClick={openCreate}>Create instance</Button>
      </div>
      <Command text={`berth create demo --blueprint ${blueprint?.name ?? "web"} --provider ${provider?.name ?? "process"} --wait`} />
    </Empty>
  );
}

interface NothingProps {
  filter: InstanceFilter;
  others: number;
  onChange: (change: Partial<InstanceFilter>) => void;
}

const CLEAR = { q: "", label: "", blueprint: "", provider: "", health: "" };

export function NothingMatches({ filter, others, onChange }: NothingProps) {
  const search = joinSearch(filter);
  const narrowed = [
    filter.needsYou && "needs you",
    filter.statuses.length > 0 && `is ${filter.statuses.map((one) => statusWord(one).toLowerCase()).join(" or ")}`,
    filter.blueprint && `is of ${filter.blueprint}`,
    filter.provider && `is on ${filter.provider}`,
    filter.health && `is ${filter.health}`,
    search && `matches “${search}”`,
  ].filter(Boolean);
  return (
    <div className="empty gutter">
      <p>
        No instance {narrowed.join(" and ")}.{others > 0 && ` ${others} others are hidden by the status filter.`}
      </p>
      <div className="actions">
        {(filter.statuses.length > 0 || filter.needsYou) && (
          <Button size="sm" onClick={() => onChange({ statuses: [], needsYou: false })}>
            Clear status
          </Button>
        )}
        {Object.keys(queryOf(filter)).length > 0 && (
          <Button size="sm" onClick={() => onChange(CLEAR)}>
            Clear search
          </Button>
        )}
      </div>
    </div>
  );
}

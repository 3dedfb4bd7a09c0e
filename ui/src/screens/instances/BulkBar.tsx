/** What can be done with the picked rows: each button says to how many it applies. One request, a result per row. */

import { useCallback, useDeferredValue, useEffect, useMemo, useState, useSyncExternalStore } from "react";

import type { Instance } from "@/api/client";
import { type Lifecycle, useLifecycle } from "@/lib/lifecycle";
import { leadsToEditor } from "@/lib/look";
import { useLack } from "@/lib/me";
import { say } from "@/lib/toasts";
import { actOnMany, type RowResult } from "@/live/act";
import { held } from "@/live/store";
import { BatchResults } from "@/parts/BatchResults";
import { Button } from "@/parts/Button";
import { EndDialog } from "@/parts/EndDialog";

import { useSelection } from "./selection";

interface BulkChoice {
  action: string;
  label: string;
  ending: boolean;
  /** It interrupts somebody, says the server. */
  interrupts: boolean;
  applies: Instance[];
}

function choicesOf(instances: readonly Instance[], table: Lifecycle): BulkChoice[] {
  const choices = new Map<string, BulkChoice>();
  for (const instance of instances) {
    for (const { action, label, button, enabled, needs } of instance.allowed_actions) {
      if (!button || leadsToEditor(action) || table.asked.has(action)) continue;
      const choice = choices.get(action) ?? { action, label, ending: table.ending.has(action), interrupts: needs?.confirm === "ask", applies: [] };
      if (enabled) choice.applies.push(instance);
      choices.set(action, choice);
    }
  }
  return [...choices.values()].filter((choice) => choice.applies.length > 0).sort((a, b) => Number(a.ending) - Number(b.ending));
}

/** Nobody picked: nothing to listen to. */
function usePicked(picked: ReadonlySet<string>): Instance[] {
  const subscribe = useCallback((listener: () => void) => (picked.size === 0 ? () => undefined : held.subscribeAll(listener)), [picked]);
  // Thousands may be picked while a hundred events come in a second: what is typed and clicked goes first.
  const revision = useDeferredValue(useSyncExternalStore(subscribe, () => (picked.size === 0 ? 0 : held.revision)));
  return useMemo(
    () =>
      [...picked].flatMap((id) => {
        const row = held.get(id);
        return row === undefined || row.gone !== null ? [] : [row.record];
      }),
    // The rows change in place: their revision says when to look again.
    [picked, revision],
  );
}

export function BulkBar() {
  const picked = useSelection((state) => state.picked);
  const clear = useSelection((state) => state.clear);
  const instances = usePicked(picked);
  const table = useLifecycle();
  const refused = useLack("operate");
  const choices = useMemo(() => choicesOf(instances, table), [instances, table]);
  const [asked, setAsked] = useState<BulkChoice | null>(null);
  const ending = choices.find((choice) => choice.action === asked?.action);
  const [results, setResults] = useState<{ label: string; rows: RowResult[] } | null>(null);
  const [busy, setBusy] = useState<string | null>(null);

  useEffect(() => {
    if (asked === null || ending !== undefined) return;
    // For good: a question that comes back by itself could be answered by an Enter that was meant for something else.
    setAsked(null);
    say({ id: "bulk-question", tone: "unsure", title: `${asked.label} is no longer possible`, detail: "What was picked has changed meanwhile, and it applies to none of it any more. Nothing was asked." });
  }, [asked, ending]);
  const run = async (choice: BulkChoice): Promise<void> => {
    setBusy(choice.action);
    const rows = await actOnMany(choice.applies, choice.action);
    setBusy(null);
    if (rows.some((row) => row.error !== null)) setResults({ label: choice.label, rows });
    else clear();
  };
  if (instances.length === 0 && results === null) return null;
  return (
    <>
      {instances.length > 0 && (
        <div className="bulk" role="toolbar" aria-label={`${instances.length} selected`}>
          <b>{instances.length} selected</b>
          {choices.map((choice) => (
            <BulkButton key={choice.action} choice={choice} busy={busy === choice.action} onRun={() => (choice.ending ? setAsked(choice) : void run(choice))} />
          ))}
          {refused !== null && <span className="muted">{refused}</span>}
          <Button kind="quiet" size="sm" icon="x" label="Clear the selection" onClick={clear} />
        </div>
      )}
      {ending && <EndDialog instances={ending.applies} choice={ending} onClose={() => setAsked(null)} onSure={() => void run(ending)} />}
      {results && <BatchResults label={results.label} rows={results.rows.map(({ instance, error }) => ({ id: instance.id, name: instance.name, error }))} onClose={() => setResults(null)} />}
    </>
  );
}

function BulkButton({ choice, busy, onRun }: { choice: BulkChoice; busy: boolean; onRun: () => void }) {
  const [sure, setSure] = useState(false);
  const many = choice.applies.length > 1;
  // What interrupts many is asked twice, in place.
  const asks = choice.interrupts && many && !sure;
  return (
    <>
      {choice.ending && <span className="cut" />}
      <Button size="sm" busy={busy} {...(choice.ending ? { kind: "danger" as const } : {})} onBlur={() => setSure(false)} onClick={() => (asks ? setSure(true) : (setSure(false), onRun()))}>
        {sure ? `Really ${choice.label.toLowerCase()}` : choice.label} <span className="n">{choice.applies.length}</span>
        {choice.ending ? "…" : sure && "?"}
      </Button>
    </>
  );
}

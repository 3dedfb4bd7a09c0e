/** What can be done with the picked operations, and with all that are parked: one request, a result each. */

import { useState } from "react";

import type { OperationForm } from "@/api/client";
import { useLifecycle } from "@/lib/lifecycle";
import { MANY_WAYS, words } from "@/lib/look";
import { useLack } from "@/lib/me";
import { BatchResults, type ResultRow } from "@/parts/BatchResults";
import { Button } from "@/parts/Button";

import { groupOf } from "./groups";
import { askMany } from "./many";

interface Results {
  label: string;
  rows: ResultRow[];
}

function useMany(): { busy: string | null; run: (operations: readonly OperationForm[], action: string) => Promise<void>; labelOf: (action: string) => string; results: React.ReactNode } {
  const table = useLifecycle();
  const [busy, setBusy] = useState<string | null>(null);
  const [results, setResults] = useState<Results | null>(null);
  const labelOf = (action: string): string => table.labels.get(action) ?? words(action);
  const run = async (operations: readonly OperationForm[], action: string): Promise<void> => {
    setBusy(action);
    const rows = await askMany(operations, action, labelOf(action));
    setBusy(null);
    if (rows.some((row) => row.error !== null)) setResults({ label: labelOf(action), rows });
  };
  return { busy, run, labelOf, results: results && <BatchResults {...results} onClose={() => setResults(null)} /> };
}

interface BulkProps {
  picked: readonly OperationForm[];
  now: number;
  onClear: () => void;
}

export function OperationsBulk({ picked, now, onClear }: BulkProps) {
  const { busy, run, labelOf, results } = useMany();
  const refused = useLack("operate");
  const open = picked.filter((one) => !one.done && !one.cancel_requested);
  const parked = picked.filter((one) => groupOf(one, now) === "parked");
  if (picked.length === 0) return results;
  return (
    <>
      <div className="bulk" role="toolbar" aria-label={`${picked.length} selected`}>
        <b>{picked.length} selected</b>
        <Button size="sm" busy={busy === MANY_WAYS.again} reason={refused ?? (parked.length === 0 ? "None of them is parked" : null)} onClick={() => void run(parked, MANY_WAYS.again).then(onClear)}>
          {labelOf(MANY_WAYS.again)} <span className="n">{parked.length}</span>
        </Button>
        <Button size="sm" busy={busy === MANY_WAYS.end} reason={refused ?? (open.length === 0 ? "None of them is under way" : null)} onClick={() => void run(open, MANY_WAYS.end).then(onClear)}>
          {labelOf(MANY_WAYS.end)} <span className="n">{open.length}</span>
        </Button>
        <Button kind="quiet" size="sm" icon="x" label="Clear the selection" onClick={onClear} />
      </div>
      {results}
    </>
  );
}

/** After an outage: everything parked again, at one click. */
export function RetryAll({ parked }: { parked: readonly OperationForm[] }) {
  const { busy, run, labelOf, results } = useMany();
  const refused = useLack("operate");
  return (
    <>
      {parked.length > 0 && (
        <Button data-keep="" busy={busy !== null} reason={refused} onClick={() => void run(parked, MANY_WAYS.again)}>
          {labelOf(MANY_WAYS.again)} all parked <span className="n">{parked.length}</span>
        </Button>
      )}
      {results}
    </>
  );
}

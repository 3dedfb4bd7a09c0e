/** After an outage: everything parked again, at one click. */

import { useState } from "react";

import { type OperationForm, operationsRetry } from "@/api/client";
import { say } from "@/lib/toasts";
import { Button } from "@/parts/Button";

import { askOperation } from "./ways";

export function RetryAll({ parked }: { parked: readonly OperationForm[] }) {
  const [busy, setBusy] = useState(false);
  if (parked.length === 0) return null;
  const run = async (): Promise<void> => {
    setBusy(true);
    const results: boolean[] = [];
    for (const operation of parked) results.push(await askOperation(operation, "Retry", operationsRetry));
    setBusy(false);
    const accepted = results.filter(Boolean).length;
    say({ id: "retry-all", tone: accepted === results.length ? "done" : "refused", title: `Retry of ${results.length}`, detail: `${accepted} under way, ${results.length - accepted} refused.` });
  };
  return (
    <Button data-keep="" busy={busy} onClick={() => void run()}>
      Retry all parked <span className="n">{parked.length}</span>
    </Button>
  );
}


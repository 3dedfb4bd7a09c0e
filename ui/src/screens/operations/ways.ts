/** The ways out of an operation: cancel, retry, abort, and what the table offers for the instance it is stuck on. */

import { useQuery } from "@tanstack/react-query";
import { useState } from "react";

import { freshKey, type Instance, type OperationForm, operationsAbort, operationsCancel, operationsRetry } from "@/api/client";
import { isCancel } from "@/lib/look";
import { useLack } from "@/lib/me";
import { askUntilAnswered } from "@/live/act";
import { sayFailure } from "@/live/failure";
import { keys, queryClient, readInstance, readOperation } from "@/live/queries";
import { useHeld } from "@/live/store";
import { useChoicesOf, useRun } from "@/parts/Actions";

import type { Group } from "./groups";

export interface Way {
  label: string;
  run: () => void;
  busy: boolean;
  reason: string | null;
  main: boolean;
  ending: boolean;
}

type Ask = (options: { path: { operation_id: string }; headers: { "Idempotency-Key": string } }) => Promise<{ data: unknown }>;

export async function askOperation(operation: OperationForm, label: string, ask: Ask): Promise<boolean> {
  const [key, whom] = [freshKey(), operation.deployment_name];
  try {
    await askUntilAnswered(whom, key, () => ask({ path: { operation_id: operation.id }, headers: { "Idempotency-Key": key } }));
    return true;
  } catch (error) {
    sayFailure({ id: `${label}-${operation.id}`, label, whom }, error);
    return false;
  } finally {
    await readOperation(operation.id).catch(() => undefined);
    void queryClient.invalidateQueries({ queryKey: keys.operations });
  }
}

export function useWays(operation: OperationForm, group: Group): Way[] {
  const [busy, setBusy] = useState<string | null>(null);
  const stuck = useStuckInstance(operation, group);
  const choicesOf = useChoicesOf();
  const run = useRun();
  const refused = useLack("operate");
  const way = (label: string, ask: Ask, main: boolean, reason: string | null = null): Way => ({
    label,
    main,
    reason: refused ?? reason,
    ending: false,
    busy: busy === label,
    run: () => {
      setBusy(label);
      void askOperation(operation, label, ask).finally(() => setBusy(null));
    },
  });
  const ways: Way[] = [];
  if (group === "parked") ways.push(way("Retry", operationsRetry, true), way("Abort", operationsAbort, false));
  if (!operation.done) ways.push(way("Cancel", operationsCancel, group === "stuck", operation.cancel_requested ? "Cancelling was asked already" : null));
  if (stuck === undefined) return ways;
  for (const choice of choicesOf(stuck)) {
    if (!choice.button || !choice.enabled || isCancel(choice.action)) continue;
    ways.push({ label: choice.label, main: false, ending: choice.ending, reason: null, busy: false, run: () => run(stuck, choice) });
  }
  return ways;
}

/** Only a stuck row needs the instance's own buttons. */
function useStuckInstance(operation: OperationForm, group: Group): Instance | undefined {
  const id = operation.instance_ids[0] ?? "";
  useQuery({ queryKey: keys.instance(id), queryFn: () => readInstance(id), enabled: group === "stuck" && id !== "" });
  return useHeld(group === "stuck" ? id : "")?.record;
}

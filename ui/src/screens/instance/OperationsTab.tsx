/** Everything that was ever done to this instance, each with its steps. */

import { useQuery } from "@tanstack/react-query";
import { useState } from "react";

import { type Instance, type OperationForm, operationsList } from "@/api/client";
import { keys, usePausedInterval } from "@/live/queries";
import { takeOperations, useLatest } from "@/live/store";
import { Button } from "@/parts/Button";
import { OperationPart, useOperationLabel } from "@/parts/OperationPart";
import { OperationStatusMark } from "@/parts/OperationStatus";
import { Bones, Failed } from "@/parts/States";
import { Clock, Elapsed } from "@/parts/Time";
import { day } from "@/lib/time";

export function OperationsTab({ instance }: { instance: Instance }) {
  const { data, error, isPending, refetch } = useQuery({
    queryKey: [...keys.operations, "of", instance.id],
    queryFn: async () => {
      const { data: list } = await operationsList({ query: { instance: instance.id, page_size: 100 } });
      takeOperations(list.items);
      return list.items;
    },
    refetchInterval: usePausedInterval(),
  });
  const items = useLatest(data ?? []).sort((a, b) => (a.created_at < b.created_at ? 1 : -1));
  if (error) return <Failed what="The operations could not be read" error={error} onRetry={() => void refetch()} />;
  if (isPending) return <Bones label="Loading operations" rows={4} cols="12rem 10rem 1fr" />;
  return (
    <ul className="folds">
      {items.map((operation, index) => (
        <Fold key={operation.id} operation={operation} first={index === 0} />
      ))}
    </ul>
  );
}

function Fold({ operation, first }: { operation: OperationForm; first: boolean }) {
  const [open, setOpen] = useState(first);
  const label = useOperationLabel(operation.kind);
  return (
    <li>
      <div className="fold">
        <Button kind="quiet" size="sm" icon={open ? "down" : "back"} label={`${open ? "Fold" : "Unfold"} ${label}`} aria-expanded={open} onClick={() => setOpen(!open)} />
        <b>{label}</b>
        <OperationStatusMark operation={operation} />
        <span className="muted truncate">{operation.error?.message}</span>
        <span className="grow" />
        {operation.started_at && <Elapsed from={operation.started_at} until={operation.finished_at ?? null} />}
        <span className="muted">
          {operation.actor} {day(operation.created_at)} <Clock time={operation.created_at} />
        </span>
      </div>
      {open && <OperationPart operation={operation} />}
    </li>
  );
}

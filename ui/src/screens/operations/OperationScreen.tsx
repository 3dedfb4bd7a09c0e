/** One operation on a page of its own: where Temporal's links and the command line lead. */

import { useQuery } from "@tanstack/react-query";
import { useEffect } from "react";
import { Link, useParams } from "wouter";

import type { OperationForm } from "@/api/client";
import { useNow } from "@/lib/clock";
import { keys, readOperation, useInterval, useStepInterval } from "@/live/queries";
import { useOperation } from "@/live/store";
import { Button, LinkButton, Out } from "@/parts/Button";
import { OperationPart, TraceId, useOperationLabel } from "@/parts/OperationPart";
import { OperationStatusMark } from "@/parts/OperationStatus";
import { Bones, Empty, Failed } from "@/parts/States";
import { Refusal } from "@/api/problems";

import { groupOf } from "./groups";
import { sentence } from "./OperationRow";
import { useWays } from "./ways";

export default function OperationScreen() {
  const { id = "" } = useParams<{ id: string }>();
  const every = useInterval(20_000);
  const known = useOperation(id);
  const { error, refetch, dataUpdatedAt } = useQuery({
    queryKey: keys.operation(id),
    queryFn: () => readOperation(id),
    refetchInterval: useStepInterval(known !== undefined && !known.done, every),
  });
  if (known) {
    return (
      <>
        {error && <Failed what="The operation could not be read" error={error} asOf={dataUpdatedAt || null} onRetry={() => void refetch()} />}
        <Page operation={known} />
      </>
    );
  }
  if (error instanceof Refusal && error.problem.status === 404) {
    return (
      <Empty page title="There is no such operation">
        <p className="muted">{error.problem.help}</p>
        <LinkButton href="/operations">Operations</LinkButton>
      </Empty>
    );
  }
  if (error) return <Failed what="The operation could not be read" error={error} onRetry={() => void refetch()} />;
  return <Bones label="Loading the operation" rows={5} cols="12rem 12rem 1fr" />;
}

function Page({ operation }: { operation: OperationForm }) {
  const label = useOperationLabel(operation.kind);
  const now = useNow();
  const group = groupOf(operation, now);
  const ways = useWays(operation, group);
  useEffect(() => {
    document.title = `${label} ${operation.deployment_name} · Berth`;
  }, [label, operation.deployment_name]);
  return (
    <>
      <p className="crumb">
        <Link href="/operations">Operations</Link> / {operation.id}
      </p>
      <div className="title">
        <h1>
          {label} {operation.deployment_name}
        </h1>
        <OperationStatusMark operation={operation} parked={group === "parked"} />
        <span className="grow" />
        <div className="actions">
          {ways.map((way) => (
            <Button key={way.label} {...(way.main ? { kind: "primary" as const } : way.ending ? { kind: "danger" as const } : {})} busy={way.busy} reason={way.reason} onClick={way.run}>
              {way.label}
              {way.ending && "…"}
            </Button>
          ))}
        </div>
        <p className="facts-line">
          {operation.blueprint} on {operation.provider}, touches{" "}
          {operation.instance_names.map((name, index) => (
            <span key={name}>
              {index > 0 && ", "}
              <Link href={`/instances/${operation.instance_ids[index] ?? name}`}>{name}</Link>
            </span>
          ))}
          {operation.retry_of && (
            <>
              , a retry of <Link href={`/operations/${operation.retry_of}`}>{operation.retry_of.slice(0, 13)}…</Link>
            </>
          )}
        </p>
      </div>
      <div className="tabs-rule" />
      {operation.error && (
        <div className="banner" data-hue="red" role="note">
          <span>
            <b>{operation.error.message && sentence(operation.error.message)}</b> {operation.error.help.text}{" "}
            <TraceId of={operation} /> {operation.error.temporal_url && <Out href={operation.error.temporal_url}>Failing activity in Temporal</Out>}
          </span>
        </div>
      )}
      <OperationPart operation={operation} />
    </>
  );
}

/** One operation in one line; a stuck or parked one explains itself in a sentence below and offers the way out. */

import { MenuItem } from "@headlessui/react";
import { Link } from "wouter";

import type { OperationForm } from "@/api/client";
import { useNow } from "@/lib/clock";
import { useLifecycle } from "@/lib/lifecycle";
import { stepPhase } from "@/lib/look";
import { duration, plain } from "@/lib/time";
import { type MenuWay, WaysMenu } from "@/parts/Actions";
import { Button } from "@/parts/Button";
import { Icon } from "@/parts/Icon";
import { useOperationLabel } from "@/parts/OperationPart";
import { OperationStatusMark } from "@/parts/OperationStatus";
import { Badge, stepsOf } from "@/parts/Status";
import { Clock, Elapsed, Seconds } from "@/parts/Time";

import { type Group, meterOf } from "./groups";
import { useWays, type Way } from "./ways";

interface RowProps {
  operation: OperationForm;
  group: Group;
  picked: boolean;
  onPick: (id: string) => void;
}

export function OperationRow({ operation, group, picked, onPick }: RowProps) {
  const label = useOperationLabel(operation.kind);
  const ways = useWays(operation, group);
  const why = whyOf(operation, group);
  const subject = operation.instance_names[0] ?? operation.deployment_name;
  const others = operation.instance_names.length - 1;
  const title = `${label} ${operation.instance_names.length > 1 ? operation.deployment_name : subject}`;
  return (
    <>
      <tr role="row" className={why ? "has-why" : undefined} data-selected={picked ? "" : undefined}>
        <td role="cell" className="pick">
          {group !== "finished" && <input type="checkbox" aria-label={`Select ${title}`} checked={picked} onChange={() => onPick(operation.id)} />}
        </td>
        <th role="rowheader" scope="row">
          <Link className="name" href={`/operations/${operation.id}`} title={title}>
            {title}
          </Link>
          {others > 0 && <span className="role">{others + 1} members</span>}
        </th>
        <td role="cell" className="c-state">
          <NowCell operation={operation} group={group} />
        </td>
        <td role="cell" className={`num c-took${group === "stuck" ? " fault-text" : ""}`}>
          {operation.started_at && <Elapsed from={operation.started_at} until={operation.finished_at ?? null} />}
        </td>
        <td role="cell" className="c-meter">
          <MeterCell operation={operation} />
        </td>
        <td role="cell" className="c-usual muted">
          {operation.usual && (
            <>
              usually <Seconds of={operation.usual.p50} />
            </>
          )}
        </td>
        <td role="cell" className="c-tries">{triesOf(operation)}</td>
        <td role="cell" className="c-last">
          {operation.actor}{" "}
          <span className="muted">
            <Clock time={operation.created_at} />
          </span>
        </td>
        <td role="cell" className="do">
          <Ways ways={ways} operation={operation} title={title} />
        </td>
      </tr>
      {why && (
        <tr role="row" className="why" data-selected={picked ? "" : undefined}>
          <td role="cell">
            <p>{why}</p>
          </td>
        </tr>
      )}
    </>
  );
}

function NowCell({ operation, group }: { operation: OperationForm; group: Group }) {
  const table = useLifecycle();
  const during = table.moves.find((move) => move.operation === operation.kind)?.during ?? null;
  const message = operation.progress.message;
  return (
    <div className="state">
      {operation.done || during === null ? (
        <OperationStatusMark operation={operation} parked={group === "parked"} />
      ) : (
        <Badge status={during} pending={!operation.started_at} inProgress steps={stepsOf(operation)} />
      )}
      {group === "stuck" && (
        <span className="stuck">
          <Icon name="hourglass" />
          Stuck
        </span>
      )}
      <span className="detail">{operation.done ? failedStep(operation, group) : message && message.charAt(0).toLowerCase() + message.slice(1)}</span>
    </div>
  );
}

function failedStep(operation: OperationForm, group: Group): string {
  const index = operation.steps.findIndex((step) => stepPhase(step.status) === "failed");
  const step = operation.steps[index];
  if (step && group === "parked") return `step ${index + 1}/${operation.steps.length}, ${step.title.charAt(0).toLowerCase()}${step.title.slice(1)}`;
  if (!operation.changed && operation.done && operation.error === null) return "nothing had to change";
  return operation.error?.message ?? "";
}

function triesOf(operation: OperationForm): string {
  const step = operation.steps.find((one) => stepPhase(one.status) === "failed") ?? operation.steps.find((one) => stepPhase(one.status) === "now");
  const tries = step?.attempts.length ?? 0;
  return tries === 0 ? "" : `${tries}${{ 1: "st", 2: "nd", 3: "rd" }[tries] ?? "th"}`;
}

function MeterCell({ operation }: { operation: OperationForm }) {
  const now = useNow();
  const meter = meterOf(operation, now);
  if (meter === null) return null;
  const percent = (value: number): string => `${value.toFixed(1)}%`;
  return (
    <>
      <span className="meter" aria-hidden="true" data-over={meter.over ? "" : undefined}>
        {meter.bars.map((bar) => (
          <span key={bar.kind} className="seg" data-seg={bar.kind} style={{ left: percent(bar.left), width: percent(bar.width) }} />
        ))}
        {meter.usual && <span className="usual-mark" style={{ left: percent(meter.usual.left), width: percent(meter.usual.width) }} />}
        {meter.over && <span className="end" />}
      </span>
      {operation.usual && <span className="sr">usually {plain(duration(operation.usual.p50))}</span>}
    </>
  );
}

function whyOf(operation: OperationForm, group: Group): string | null {
  if (group === "parked") {
    const kept = operation.error?.kept ?? [];
    return [operation.error?.message && sentence(operation.error.message), kept.length > 0 && `Kept for the retry: ${kept.join("; ")}.`].filter(Boolean).join(" ") || null;
  }
  if (group !== "stuck") return null;
  const step = operation.steps.find((one) => stepPhase(one.status) === "now");
  const last = step?.attempts.findLast((attempt) => attempt.error)?.error;
  return `${step ? `“${step.title}” has` : "It has"} no confirmation yet and the deadline has passed.${last ? ` Last answer: ${last}.` : ""}`;
}

export function sentence(text: string): string {
  const first = text.charAt(0).toUpperCase() + text.slice(1);
  return first.endsWith(".") ? first : `${first}.`;
}

function Ways({ ways, operation, title }: { ways: readonly Way[]; operation: OperationForm; title: string }) {
  return (
    <div>
      {ways.map((way, index) => (
        <span key={way.label} data-wide={index > 0 ? "" : undefined}>
          <Button size="sm" {...(way.main ? {} : { kind: way.ending ? ("danger" as const) : ("quiet" as const) })} busy={way.busy} reason={way.reason} onClick={way.run}>
            {textOf(way)}
          </Button>
        </span>
      ))}
      {operation.temporal_url && (
        <a className="btn" data-size="sm" data-kind="quiet" data-icon="" data-wide="" href={operation.temporal_url} target="_blank" rel="noreferrer" aria-label={`Open ${title} in Temporal`}>
          <Icon name="out" />
        </a>
      )}
      {ways.length > 1 && <OtherWays ways={ways.slice(1)} operation={operation} title={title} />}
    </div>
  );
}

const textOf = (way: Way): string => (way.ending ? `${way.label}…` : way.label);

/** Where there is room for the first way only. */
function OtherWays({ ways, operation, title }: { ways: readonly Way[]; operation: OperationForm; title: string }) {
  const items = ways.map((way): MenuWay => ({ key: way.label, text: textOf(way), ending: way.ending, reason: way.busy ? "It was asked and is not answered yet" : way.reason, run: way.run }));
  return (
    <span className="narrow">
      <WaysMenu items={items} label={`Other ways out of ${title}`}>
        {operation.temporal_url && (
          <MenuItem>
            <a href={operation.temporal_url} target="_blank" rel="noreferrer">
              <Icon name="out" />
              Open in Temporal
            </a>
          </MenuItem>
        )}
      </WaysMenu>
    </span>
  );
}

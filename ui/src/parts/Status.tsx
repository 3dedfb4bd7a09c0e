/** A status as the server says it, what was asked and is not there yet, and lateness beside it. */

import { useEffect, useReducer } from "react";

import type { Instance, OperationForm } from "@/api/client";
import { useNow } from "@/lib/clock";
import { duringOf, useLifecycle } from "@/lib/lifecycle";
import { isWaiting, statusLook, statusWord, stepPhase } from "@/lib/look";
import { age, secondsBetween } from "@/lib/time";
import { useAsk, useBehind, useMoved } from "@/live/store";

import { Icon, Spinner } from "./Icon";
import { Figures } from "./Time";

export interface Steps {
  done: number;
  total: number;
}

interface BadgeProps {
  status: string;
  pending?: boolean;
  inProgress?: boolean;
  steps?: Steps | null;
}

export function Badge({ status, pending = false, inProgress = false, steps = null }: BadgeProps) {
  const look = statusLook(status, inProgress);
  const shown = steps !== null && steps.total > 0 && !pending ? steps : null;
  return (
    <span
      className="status"
      data-status={status}
      data-hue={look.hue}
      data-voice={pending && look.voice === "plain" ? "moving" : look.voice}
      data-pending={pending ? "" : undefined}
    >
      {look.spins || (pending && look.voice !== "moving") ? <Spinner icon={look.spins ? look.icon : "ring"} /> : <Icon name={look.icon} />}
      {statusWord(status)}
      {shown && (
        <>
          {" "}
          <b>
            {shown.done + 1}/{shown.total}
          </b>
          <Waterline {...shown} />
        </>
      )}
    </span>
  );
}

function Waterline({ done, total }: Steps) {
  return (
    <span className="water" aria-hidden="true">
      {Array.from({ length: total }, (_, step) => (
        <i key={step} data-done={step < done ? "" : undefined} data-now={step === done ? "" : undefined} />
      ))}
    </span>
  );
}

/** An in-progress badge lives at least this long, so that a fast action is still seen. */
const HOLD_MS = 600;

/** The in-progress status that still has to be seen, although the truth beneath has moved on. */
function useHold(id: string, moving: boolean): string | null {
  const moved = useMoved(id);
  const [, redraw] = useReducer((count: number) => count + 1, 0);
  const left = moved !== undefined && !moving ? moved.at + HOLD_MS - Date.now() : 0;
  useEffect(() => {
    if (left <= 0) return undefined;
    const timer = setTimeout(redraw, left);
    return () => clearTimeout(timer);
  }, [left]);
  return left > 0 && moved !== undefined ? moved.status : null;
}

export interface Shown {
  status: string;
  /** Asked, not started: by this page's click, or by anybody and still waiting to begin. */
  pending: boolean;
  inProgress: boolean;
}

export function useShown(instance: Instance): Shown {
  const table = useLifecycle();
  const ask = useAsk(instance.id);
  const inProgress = table.inProgress.has(instance.status);
  // An event ahead of its record says nothing of the operation that the old record names.
  const behind = useBehind(instance.id);
  const current = behind ? null : instance.current_operation;
  const waiting = current && isWaiting(current.status) ? current.kind : null;
  const wished = ask ? (ask.during ?? instance.status) : waiting === null || inProgress ? null : duringOf(table, waiting, instance.status);
  if (wished !== null && wished !== undefined) return { status: wished, pending: true, inProgress: true };
  return { status: instance.status, pending: false, inProgress };
}

export function stepsOf(operation: OperationForm | undefined): Steps | null {
  if (operation === undefined || operation.done || operation.steps.length === 0) return null;
  const done = operation.steps.filter((step) => !["now", "next"].includes(stepPhase(step.status))).length;
  return { done: Math.min(done, operation.steps.length - 1), total: operation.steps.length };
}

/** The record's own word of it, until the operation with its steps is known. */
function stepsOfBrief(brief: Instance["current_operation"]): Steps | null {
  if (!brief || brief.done || !brief.progress || brief.progress.total === 0) return null;
  return { done: Math.min(Math.max(0, brief.progress.step - 1), brief.progress.total - 1), total: brief.progress.total };
}

export function InstanceStatus({ instance, operation }: { instance: Instance; operation?: OperationForm | undefined }) {
  const shown = useShown(instance);
  const hold = useHold(instance.id, shown.inProgress);
  if (hold !== null) return <Badge status={hold} inProgress />;
  return <Badge {...shown} steps={shown.inProgress ? (stepsOf(operation) ?? stepsOfBrief(instance.current_operation)) : null} />;
}

/** Past its deadline: the only filled alarm. */
export function Stuck({ since }: { since: string }) {
  const now = useNow();
  const seconds = secondsBetween(since, now) ?? 0;
  return (
    <span className="stuck">
      <Icon name="hourglass" />
      Stuck <Figures of={age(seconds)} />
    </span>
  );
}

/** So long may what was accepted lie before somebody has to know that nobody takes it. */
const TAKEN_WITHIN_SECONDS = 15;

/** For how many seconds nobody has begun it; null where it has begun, is over, or was only just asked for. */
export function untaken(operation: Pick<OperationForm, "done" | "started_at" | "created_at"> | null | undefined, now: number): number | null {
  if (!operation || operation.done || operation.started_at) return null;
  const seconds = secondsBetween(operation.created_at, now) ?? 0;
  return seconds > TAKEN_WITHIN_SECONDS ? seconds : null;
}

/** Whether an operation is past its usual time or its deadline, at this moment. */
export function lateness(operation: Pick<OperationForm, "done" | "slow_at" | "stuck_at"> | null | undefined, now: number): "fine" | "slow" | "stuck" {
  if (!operation || operation.done) return "fine";
  if (operation.stuck_at && new Date(operation.stuck_at).getTime() < now) return "stuck";
  if (operation.slow_at && new Date(operation.slow_at).getTime() < now) return "slow";
  return "fine";
}

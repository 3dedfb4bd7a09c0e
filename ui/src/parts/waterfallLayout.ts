/** Where the bars of an operation's steps stand. Pure: times in, percentages out. */

import type { OperationForm } from "@/api/client";
import { type StepPhase, stepPhase } from "@/lib/look";

export type SegmentKind = "done" | "failed" | "now" | "late" | "wait" | "next";

export interface Segment {
  kind: SegmentKind;
  left: number;
  width: number;
}

export interface StepRow {
  title: string;
  state: StepPhase;
  attempts: number;
  segments: Segment[];
  /** The bracket: usual, p50 to p95. */
  usual: { left: number; width: number } | null;
  tookSeconds: number | null;
  usualSeconds: { p50: number; p95: number } | null;
  late: boolean;
  error: string | null;
  note: string | null;
}

export interface Waterfall {
  rows: StepRow[];
  ticks: { at: number; seconds: number }[];
  /** Where now is; null once it is over. */
  now: number | null;
}

const TICKS = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21_600];
const MOST_TICKS = 6;

type Step = OperationForm["steps"][number];

const millis = (time: string): number => new Date(time).getTime();

export function waterfallOf(operation: OperationForm, now: number): Waterfall {
  const start = millis(operation.started_at ?? operation.created_at);
  const end = operation.finished_at ? millis(operation.finished_at) : now;
  const elapsed = Math.max(0, (end - start) / 1000);
  const expected = operation.done ? elapsed : Math.max(elapsed * 1.15, elapsed + ahead(operation.steps), operation.usual?.p95 ?? 0);
  const step = TICKS.find((one) => expected / one <= MOST_TICKS) ?? expected / MOST_TICKS;
  const span = Math.max(step, Math.ceil(expected / step - 1e-6) * step);
  const place = new Placer(start, span, elapsed);
  const rows = operation.steps.map((one) => rowOf(one, place, end));
  const count = Math.round(span / step);
  const ticks = Array.from({ length: count + 1 }, (_, index) => ({ at: (index / count) * 100, seconds: index * step }));
  return { rows, ticks, now: operation.done ? null : place.at(elapsed) };
}

/** What is usually still to come, where that is known. */
function ahead(steps: readonly Step[]): number {
  return steps.filter((step) => stepPhase(step.status) === "next").reduce((sum, step) => sum + (step.usual?.p50 ?? 0), 0);
}

class Placer {
  readonly #start: number;
  readonly #span: number;
  /** Where the next dashed bar begins, in seconds. */
  next: number;
  constructor(start: number, span: number, elapsed: number) {
    this.#start = start;
    this.#span = span;
    this.next = elapsed;
  }
  seconds(time: string): number {
    return (millis(time) - this.#start) / 1000;
  }
  at(seconds: number): number {
    return Math.min(100, Math.max(0, (seconds / this.#span) * 100));
  }
  bar(kind: SegmentKind, from: number, to: number): Segment {
    const left = this.at(from);
    return { kind, left, width: Math.max(0, this.at(to) - left) };
  }
}

function rowOf(step: Step, place: Placer, end: number): StepRow {
  const state = stepPhase(step.status);
  const first = step.attempts[0];
  const last = step.attempts.at(-1);
  const from = first ? place.seconds(first.started_at) : null;
  const until = last ? place.seconds(last.ended_at ?? new Date(end).toISOString()) : null;
  const tookSeconds = from !== null && until !== null ? Math.max(0, until - from) : null;
  const usualSeconds = step.usual ?? null;
  const late = state === "now" && usualSeconds !== null && tookSeconds !== null && tookSeconds > usualSeconds.p95;
  return {
    title: step.title,
    state,
    attempts: step.attempts.length,
    segments: [...happened(step, place, end), ...toCome(step, place)],
    usual: bracket(step, place, from),
    tookSeconds,
    usualSeconds,
    late,
    error: step.attempts.findLast((attempt) => attempt.error)?.error ?? null,
    note: step.message ?? null,
  };
}

function happened(step: Step, place: Placer, end: number): Segment[] {
  const segments: Segment[] = [];
  let before: number | null = null;
  for (const attempt of step.attempts) {
    const from = place.seconds(attempt.started_at);
    const running = !attempt.ended_at;
    const to = running ? place.seconds(new Date(end).toISOString()) : place.seconds(attempt.ended_at ?? "");
    if (before !== null && from > before) segments.push(place.bar("wait", before, from));
    const limit = running && step.usual ? from + step.usual.p95 : null;
    if (limit !== null && to > limit) segments.push(place.bar("now", from, limit), place.bar("late", limit, to));
    else segments.push(place.bar(attempt.error ? "failed" : running ? "now" : "done", from, to));
    before = to;
  }
  const waiting = stepPhase(step.status) === "now" && before !== null && step.attempts.at(-1)?.ended_at;
  if (waiting && before !== null) segments.push(place.bar("wait", before, place.seconds(new Date(end).toISOString())));
  return segments;
}

function toCome(step: Step, place: Placer): Segment[] {
  if (stepPhase(step.status) !== "next" || !step.usual) return [];
  const from = place.next;
  place.next += step.usual.p50;
  return [place.bar("next", from, place.next)];
}

function bracket(step: Step, place: Placer, from: number | null): StepRow["usual"] {
  if (!step.usual || !["now", "next"].includes(stepPhase(step.status))) return null;
  const start = from ?? place.next - step.usual.p50;
  const { left, width } = place.bar("next", start + step.usual.p50, start + step.usual.p95);
  return width > 0 ? { left, width } : null;
}

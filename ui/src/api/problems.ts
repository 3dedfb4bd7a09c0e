/** Every failure of a request in one shape: what the server said (RFC 9457), or that it said nothing. */

import type { Problem } from "./generated";

export class Refusal extends Error {
  readonly problem: Problem;
  constructor(problem: Problem) {
    super(problem.detail || problem.title);
    this.name = "Refusal";
    this.problem = problem;
  }
}

/** No answer, or one that says nothing about whether the change happened: never taken as a refusal. */
export class NoAnswer extends Error {
  readonly status: number | null;
  constructor(status: number | null, cause?: unknown) {
    super(status === null ? "Berth does not answer." : `Berth answered ${status} without saying why.`, { cause });
    this.name = "NoAnswer";
    this.status = status;
  }
}

/** Asked by who was signed in before: nobody who is here now need hear of it, and it is not asked again as somebody else. */
export class NotOurs extends Error {
  constructor() {
    super("Somebody else has signed in since.");
    this.name = "NotOurs";
  }
}

function isProblem(value: unknown): value is Problem {
  return typeof value === "object" && value !== null && "title" in value && "code" in value && "status" in value;
}

/** What the generated client threw, as one of the two above. */
export function asFailure(error: unknown, response: Response | undefined): Refusal | NoAnswer {
  if (error instanceof Refusal || error instanceof NoAnswer) return error;
  if (isProblem(error)) return new Refusal(error);
  return new NoAnswer(response?.status ?? null, error);
}

export interface Told {
  title: string;
  detail: string;
  help: string | null;
  trace: string | null;
}

/** The words for a screen. */
export function tell(error: unknown): Told {
  if (error instanceof Refusal) {
    const { title, detail, help, trace_id } = error.problem;
    return { title, detail, help, trace: trace_id ?? null };
  }
  const detail = error instanceof Error ? error.message : "Something went wrong.";
  return { title: "No answer", detail, help: "Check that `berth up` runs; this page goes on asking.", trace: null };
}

/** No answer, or one of a server that failed: what was asked may have been accepted, and is not called refused. */
export function mayHaveHappened(error: unknown): boolean {
  return error instanceof NoAnswer || (error instanceof Refusal && error.problem.status >= 500);
}

/** Whether asking again may help: the server failed or is away, rather than having refused. */
export const worthRetrying = mayHaveHappened;

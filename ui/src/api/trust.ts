/** What records say beyond the contract's own types, and how an older server shows that it lacks something. */

import type { Instance } from "./generated";
import { Refusal } from "./problems";

/** A server of an older version does not know the address. */
export function isAbsent(error: unknown): boolean {
  return error instanceof Refusal && error.problem.status === 404;
}

export function healthReasonOf(instance: Instance): string | null {
  const reason = instance.health_reason;
  return typeof reason === "string" && reason !== "" ? reason : null;
}

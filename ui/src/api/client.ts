/** The generated client, told who we are and how failures look. Everything imports its calls from here. */

import { hearClock } from "@/lib/clock";

import { answering } from "./bounded";
import { client } from "./generated/client.gen";
import { asFailure, NotOurs, Refusal } from "./problems";
import { useSession } from "./session";

client.setConfig({
  baseUrl: "",
  throwOnError: true,
  fetch: answering() as typeof fetch,
  auth: () => useSession.getState().token ?? undefined,
  querySerializer: { array: { explode: false, style: "form" } },
});

/** Whoever asked has left meanwhile, or somebody else came: what is answered is neither shown nor held against them. */
function isOfAnother(request: Request | undefined): boolean {
  const shown = request?.headers.get("Authorization") ?? null;
  return shown !== null && shown !== `Bearer ${useSession.getState().token}`;
}

client.interceptors.response.use((response, request) => {
  if (isOfAnother(request)) throw new NotOurs();
  hearClock(response.headers.get("Date"));
  return response;
});

client.interceptors.error.use((error, response, request: Request | undefined) => {
  if (isOfAnother(request)) return new NotOurs();
  const failure = asFailure(error, response);
  if (failure instanceof Refusal && failure.problem.status === 401) useSession.getState().signOut(true);
  return failure;
});

/** For questions that the server passes on to every provider before it answers. */
export const PATIENT = { fetch: answering(70_000) as typeof fetch };

/** A request's own name, so that asking again cannot make it happen twice. */
export function freshKey(): string {
  // `randomUUID` is only there where the page came over TLS or from this machine.
  return [...crypto.getRandomValues(new Uint32Array(4))].map((part) => part.toString(16).padStart(8, "0")).join("");
}

export * from "./generated";

/**
 * What keeps an instance as it is, and what billing has told us: the parts of the contract that screens read through a
 * narrow form, so that a server which does not have them yet shows a page without them.
 */

import { client } from "./generated/client.gen";
import type { Instance } from "./generated";

import { Refusal } from "./problems";

export interface Delivery {
  id: string;
  webhook_id: string;
  type: string;
  subject: string | null;
  received_at: string;
  occurred_at: string | null;
  verdict: string;
  detail?: string | null;
  operation_id?: string | null;
}

export interface Paged<Item> {
  items: Item[];
  next_page_token?: string | null;
}

export interface Hold {
  cause: string;
  by: string;
  since: string;
  note?: string | null;
  deletes_at?: string | null;
}

export interface Maintenance {
  until?: string | null;
  by: string;
  since: string;
  note?: string | null;
}

/** As every generated call has it. */
const SIGNED = { security: [{ scheme: "bearer", type: "http" }] } as const;

type Query = Record<string, string | number | undefined>;

async function get<Answer>(url: string, query: Query = {}): Promise<Answer> {
  return (await client.get<Answer, unknown, true>({ ...SIGNED, url, query })).data as Answer;
}

export const readDeliveries = (query: Query): Promise<Paged<Delivery>> => get("/api/v1/webhooks", query);

export async function replayDelivery(id: string, key: string): Promise<void> {
  await client.post<unknown, unknown, true>({ ...SIGNED, url: `/api/v1/webhooks/${encodeURIComponent(id)}/replay`, headers: { "Idempotency-Key": key } });
}

export async function cordonHost(id: string, cordoned: boolean, key: string): Promise<void> {
  await client.post<unknown, unknown, true>({ ...SIGNED, url: `/api/v1/hosts/${encodeURIComponent(id)}/${cordoned ? "cordon" : "uncordon"}`, headers: { "Idempotency-Key": key } });
}

/** A server of an older version does not know the address. */
export function isAbsent(error: unknown): boolean {
  return error instanceof Refusal && error.problem.status === 404;
}

export function holdOf(instance: Instance): Hold | null {
  return (instance.hold as Hold | null | undefined) ?? null;
}

export function maintenanceOf(instance: Instance): Maintenance | null {
  return (instance.maintenance as Maintenance | null | undefined) ?? null;
}

/** Undefined where the server does not know of it. */
export function protectionOf(instance: Instance): boolean | undefined {
  const protectedNow = instance.deletion_protection;
  return typeof protectedNow === "boolean" ? protectedNow : undefined;
}

export function healthReasonOf(instance: Instance): string | null {
  const reason = instance.health_reason;
  return typeof reason === "string" && reason !== "" ? reason : null;
}

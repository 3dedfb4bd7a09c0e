/**
 * The feed over a WebSocket. A browser cannot send a token with the handshake, and an address ends in logs: the first
 * message shows a ticket that is good once and for half a minute.
 */

import { within } from "@/api/bounded";
import type { Event, Instance, OperationForm } from "@/api/client";

import { type HostStanding, type Incoming, type Wire, WireError } from "./transport";

const OPEN_WITHIN_MS = 8_000;
const FORBIDDEN = 4403;

/** What a frame says; anything unreadable still shows that the server lives. */
export function incomingOfFrame(text: string): Incoming[] {
  let said: unknown;
  try {
    said = JSON.parse(text);
  } catch {
    return [{ kind: "heartbeat" }];
  }
  if (typeof said !== "object" || said === null) return [{ kind: "heartbeat" }];
  const frame = said as Record<string, unknown>;
  const cursor = typeof frame["cursor"] === "string" ? frame["cursor"] : null;
  if (frame["type"] === "events" && Array.isArray(frame["items"])) return frame["items"].flatMap(eventOf);
  if (frame["type"] === "snapshot_required" && cursor !== null) return [{ kind: "snapshot_required", cursor }];
  if (frame["type"] === "records" && Array.isArray(frame["items"])) return [recordsOf(frame["items"])];
  if (typeof frame["type"] === "string") return [cursor === null ? { kind: "heartbeat" } : { kind: "heartbeat", cursor }];
  return eventOf(frame);
}

/** The older names of an event follow it under the same cursor and without its time: nothing new in them. */
function eventOf(item: unknown): Incoming[] {
  if (typeof item !== "object" || item === null || !("time" in item) || !("cursor" in item) || typeof item.cursor !== "string") return [];
  return [{ kind: "event", cursor: item.cursor, event: item as unknown as Event }];
}

/** Each item says what it is, and holds it under that name. */
function recordsOf(items: readonly unknown[]): Incoming {
  const under = <Form>(name: string): Form[] => items.flatMap((item) => (typeof item === "object" && item !== null && name in item ? [(item as Record<string, Form>)[name] as Form] : []));
  return { kind: "records", instances: under<Instance>("instance"), operations: under<OperationForm>("operation"), hosts: under<HostStanding>("host") };
}

interface Means {
  token: () => string | null;
  fetch: typeof fetch;
  open: (address: string) => WebSocket;
}

const REAL: Omit<Means, "token"> = {
  fetch: (...wanted) => fetch(...wanted),
  open: (address) => new WebSocket(address),
};

export class SocketWire implements Wire {
  readonly #means: Means;

  constructor(token: () => string | null, means: Partial<Omit<Means, "token">> = {}) {
    this.#means = { ...REAL, ...means, token };
  }

  async listen(after: string | null, onIncoming: (incoming: Incoming) => void, signal: AbortSignal): Promise<void> {
    const ticket = await within(OPEN_WITHIN_MS, signal, (ending) => this.#ticket(ending));
    const address = new URL("/api/v1/ws", location.href);
    address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
    await converse(this.#means.open(address.href), { type: "subscribe", ticket, batch: true, records: true, ...(after === null ? {} : { after }) }, onIncoming, signal);
  }

  async #ticket(signal: AbortSignal): Promise<string> {
    const response = await this.#means.fetch("/api/v1/ws-tickets", {
      method: "POST",
      headers: { Authorization: `Bearer ${this.#means.token() ?? ""}` },
      signal,
    });
    if (!response.ok) throw new WireError(`no ticket: ${response.status}`, response.status === 401 || response.status === 403);
    const answer: unknown = await response.json();
    if (typeof answer !== "object" || answer === null || !("ticket" in answer) || typeof answer.ticket !== "string") throw new WireError("no ticket in the answer", false);
    return answer.ticket;
  }
}

function converse(socket: WebSocket, subscribe: object, onIncoming: (incoming: Incoming) => void, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    let heard = false;
    const late = setTimeout(() => socket.close(), OPEN_WITHIN_MS);
    // A dead line never says that it has closed: who leaves does not wait for it.
    const leave = (): void => {
      clearTimeout(late);
      socket.close(1000);
      resolve();
    };
    signal.addEventListener("abort", leave, { once: true });
    socket.onopen = () => socket.send(JSON.stringify(subscribe));
    socket.onmessage = ({ data }) => {
      const said = incomingOfFrame(String(data));
      // The greeting has a cursor; what has none comes before it and says why there will be no greeting.
      if (!heard && !said.some((incoming) => incoming.cursor !== undefined)) return;
      // From now on what changes is shown on this line.
      if (!heard) said.push({ kind: "records", instances: [], operations: [], hosts: [] });
      heard = true;
      clearTimeout(late);
      if (!signal.aborted) for (const incoming of said) onIncoming(incoming);
    };
    socket.onclose = ({ code }) => {
      clearTimeout(late);
      signal.removeEventListener("abort", leave);
      if (code === FORBIDDEN) reject(new WireError("the socket is not allowed", true));
      else if (heard || signal.aborted) resolve();
      else reject(new WireError(`the socket closed with ${code} before it said anything`, false));
    };
    if (signal.aborted) leave();
  });
}

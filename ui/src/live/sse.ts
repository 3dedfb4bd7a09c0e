/** The feed over `GET /events/stream`, by fetch: EventSource cannot send the token in a header. */

import type { Event } from "@/api/client";
import { type Incoming, type Wire, WireError } from "./transport";

interface Block {
  id: string | null;
  event: string;
  data: string;
}

/** One block of the stream (between blank lines), or null for a comment. */
function parseBlock(text: string): Block | null {
  const block: Block = { id: null, event: "message", data: "" };
  let said = false;
  for (const line of text.split("\n")) {
    if (line === "" || line.startsWith(":")) continue;
    const colon = line.indexOf(":");
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "data") block.data += (said ? "\n" : "") + value;
    if (field === "data") said = true;
    if (field === "id") block.id = value;
    if (field === "event") block.event = value;
  }
  return said ? block : null;
}

/** What a block means; anything unreadable still shows that the server lives. */
export function incomingOf(text: string): Incoming {
  const block = parseBlock(text);
  if (block === null || block.id === null) return { kind: "heartbeat" };
  if (block.event === "snapshot_required") return { kind: "snapshot_required", cursor: block.id };
  try {
    return { kind: "event", cursor: block.id, event: JSON.parse(block.data) as Event };
  } catch {
    return { kind: "heartbeat" };
  }
}

export class SseWire implements Wire {
  readonly #token: () => string | null;
  readonly #fetch: typeof fetch;

  constructor(token: () => string | null, fetcher: typeof fetch = (...wanted) => fetch(...wanted)) {
    this.#token = token;
    this.#fetch = fetcher;
  }

  async listen(after: string | null, onIncoming: (incoming: Incoming) => void, signal: AbortSignal): Promise<void> {
    const headers: Record<string, string> = { Accept: "text/event-stream", Authorization: `Bearer ${this.#token() ?? ""}` };
    if (after !== null) headers["Last-Event-ID"] = after;
    const response = await this.#fetch("/api/v1/events/stream", { headers, signal, cache: "no-store" });
    if (!response.ok || response.body === null) {
      throw new WireError(`the feed answered ${response.status}`, response.status === 401 || response.status === 403);
    }
    onIncoming({ kind: "heartbeat" });
    await readBlocks(response.body, onIncoming);
  }
}

async function readBlocks(body: ReadableStream<Uint8Array>, onIncoming: (incoming: Incoming) => void): Promise<void> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    rest += decoder.decode(value, { stream: true }).replace(/\r\n?/g, "\n");
    const blocks = rest.split("\n\n");
    rest = blocks.pop() ?? "";
    for (const block of blocks) onIncoming(incomingOf(block));
  }
}

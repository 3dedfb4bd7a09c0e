// @vitest-environment jsdom
import { describe, expect, it, vi } from "vitest";

import { EitherWire } from "./either";
import { incomingOfFrame, SocketWire } from "./socket";
import { type Incoming, type Wire, WireError } from "./transport";

/** A socket whose other end is the test. */
class HandSocket {
  readonly sent: string[] = [];
  onopen: (() => void) | null = null;
  onmessage: ((message: { data: string }) => void) | null = null;
  onclose: ((closing: { code: number }) => void) | null = null;
  send(text: string): void {
    this.sent.push(text);
  }
  close(code = 1006): void {
    this.onclose?.({ code });
  }
}

const event = { cursor: "c1", time: "2026-01-01T00:00:00Z", event_type: "STOP_ACCEPTED", instance_id: "ins_1", version: 3 };
const ticketed = (): Promise<Response> => Promise.resolve(new Response(JSON.stringify({ ticket: "once" }), { status: 201 }));

async function dial(after: string | null = null) {
  const socket = new HandSocket();
  const heard: Incoming[] = [];
  const closing = new AbortController();
  const fetcher = vi.fn(ticketed);
  const wire = new SocketWire(() => "secret", { fetch: fetcher, open: () => socket as unknown as WebSocket });
  const line = wire.listen(after, (incoming) => heard.push(incoming), closing.signal);
  line.catch(() => undefined);
  await vi.waitFor(() => expect(socket.onopen).not.toBeNull());
  return { socket, heard, closing, fetcher, line };
}

describe("the socket", () => {
  it("shows a ticket in its first message and the token nowhere but in the header that asks for it", async () => {
    const { socket, fetcher } = await dial("c0");
    socket.onopen?.();
    expect(JSON.parse(socket.sent[0] ?? "")).toEqual({ type: "subscribe", ticket: "once", batch: true, records: true, after: "c0" });
    expect(fetcher).toHaveBeenCalledWith("/api/v1/ws-tickets", expect.objectContaining({ headers: { Authorization: "Bearer secret" } }));
    expect(socket.sent.join()).not.toContain("secret");
  });
  it("hands over what comes and ends quietly with the line", async () => {
    const { socket, heard, line } = await dial();
    socket.onmessage?.({ data: JSON.stringify({ type: "hello", cursor: "c0" }) });
    socket.onmessage?.({ data: JSON.stringify({ type: "events", items: [event] }) });
    socket.close(1001);
    await line;
    expect(heard).toEqual([{ kind: "heartbeat", cursor: "c0" }, { kind: "records", instances: [], operations: [], hosts: [] }, { kind: "event", cursor: "c1", event }]);
  });
  it("does not wait for ever for a ticket", async () => {
    vi.useFakeTimers();
    const hangs = (_: unknown, init?: RequestInit): Promise<Response> => new Promise((_resolve, reject) => init?.signal?.addEventListener("abort", () => reject(new DOMException("aborted", "AbortError"))));
    const line = new SocketWire(() => "secret", { fetch: hangs as typeof fetch, open: () => new HandSocket() as unknown as WebSocket }).listen(null, () => undefined, new AbortController().signal);
    const failed = expect(line).rejects.toThrow();
    await vi.advanceTimersByTimeAsync(8_000);
    await failed;
    vi.useRealTimers();
  });
  it("fails when it closes before a word, and for good when it is not allowed", async () => {
    const first = await dial();
    first.socket.close(4401);
    await expect(first.line).rejects.toMatchObject({ refused: false });
    const second = await dial();
    second.socket.close(4403);
    await expect(second.line).rejects.toMatchObject({ refused: true });
  });
  it("is refused with the token", async () => {
    const wire = new SocketWire(() => "old", { fetch: () => Promise.resolve(new Response("", { status: 401 })) });
    await expect(wire.listen(null, () => undefined, new AbortController().signal)).rejects.toMatchObject({ refused: true });
  });
});

describe("a frame", () => {
  it("is one event, several, a gap, or a sign of life", () => {
    expect(incomingOfFrame(JSON.stringify(event))).toEqual([{ kind: "event", cursor: "c1", event }]);
    expect(incomingOfFrame(JSON.stringify({ type: "events", items: [event, event] }))).toHaveLength(2);
    expect(incomingOfFrame(JSON.stringify({ type: "snapshot_required", cursor: "c9" }))).toEqual([{ kind: "snapshot_required", cursor: "c9" }]);
    expect(incomingOfFrame(JSON.stringify({ type: "heartbeat", cursor: "c9" }))).toEqual([{ kind: "heartbeat", cursor: "c9" }]);
    expect(incomingOfFrame(JSON.stringify({ type: "records", items: [{ type: "instance", instance: { id: "ins_1" } }, { type: "operation", operation: { id: "op_1" } }, { type: "host", host: { id: "host_1", silent: true } }] }))).toEqual([
      { kind: "records", instances: [{ id: "ins_1" }], operations: [{ id: "op_1" }], hosts: [{ id: "host_1", silent: true }] },
    ]);
    expect(incomingOfFrame("{")).toEqual([{ kind: "heartbeat" }]);
  });
  it("that retells an event under its older name says nothing new", () => {
    expect(incomingOfFrame(JSON.stringify({ event_type: "INSTANCE_RUNNING", cursor: "c1", instance_id: "ins_1", status: "RUNNING", timestamp: "2026-01-01T00:00:00Z" }))).toEqual([]);
  });
});

describe("two wires", () => {
  const silent: Wire = { listen: () => Promise.reject(new WireError("closed before a word", false)) };
  const speaking: Wire = {
    listen: (_after, onIncoming) => {
      onIncoming({ kind: "heartbeat" });
      return Promise.resolve();
    },
  };
  it("fall back to the second, and stay with it for a while", async () => {
    const first = { listen: vi.fn(silent.listen) };
    const either = new EitherWire(first, speaking);
    const heard = vi.fn();
    await either.listen(null, heard, new AbortController().signal);
    await either.listen(null, heard, new AbortController().signal);
    expect(heard).toHaveBeenCalledTimes(2);
    expect(first.listen).toHaveBeenCalledTimes(1);
  });
  it("go on trying the first while the server is away altogether", async () => {
    const first = { listen: vi.fn(silent.listen) };
    const either = new EitherWire(first, silent);
    for (let time = 0; time < 2; time += 1) await either.listen(null, () => undefined, new AbortController().signal).catch(() => undefined);
    expect(first.listen).toHaveBeenCalledTimes(2);
  });
  it("do not fall back where the person is refused", async () => {
    const second = vi.fn(speaking.listen);
    const either = new EitherWire({ listen: () => Promise.reject(new WireError("no", true)) }, { listen: second });
    await expect(either.listen(null, () => undefined, new AbortController().signal)).rejects.toMatchObject({ refused: true });
    expect(second).not.toHaveBeenCalled();
  });
});

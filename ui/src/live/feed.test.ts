import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { Feed, type Link, pauseBefore } from "./feed";
import { incomingOf } from "./sse";
import { type Incoming, type Wire, WireError } from "./transport";

/** A wire whose lines a test cuts and feeds by hand. */
class HandWire implements Wire {
  readonly asked: (string | null)[] = [];
  say: (incoming: Incoming) => void = () => undefined;
  cut: (error?: Error) => void = () => undefined;
  listen(after: string | null, onIncoming: (incoming: Incoming) => void, signal: AbortSignal): Promise<void> {
    this.asked.push(after);
    this.say = onIncoming;
    return new Promise((resolve, reject) => {
      this.cut = (error) => (error === undefined ? resolve() : reject(error));
      signal.addEventListener("abort", () => resolve());
    });
  }
}

const event = (cursor: string): Incoming => ({ kind: "event", cursor, event: {} as never });
const flush = (): Promise<void> => vi.advanceTimersByTimeAsync(0).then(() => undefined);

let wire: HandWire;
let links: Link[];
let heard: Incoming[];
let feed: Feed;

beforeEach(() => {
  vi.useFakeTimers();
  wire = new HandWire();
  links = [];
  heard = [];
  feed = new Feed(wire, { onLink: (link) => links.push(link), onIncoming: (incoming) => heard.push(incoming) });
  void feed.run();
});
afterEach(() => {
  feed.close();
  vi.useRealTimers();
});

describe("the feed", () => {
  it("is live once something was heard", () => {
    wire.say({ kind: "heartbeat" });
    expect(links.at(-1)?.state).toBe("live");
  });

  it("comes back at the cursor after a cut, and says when", async () => {
    wire.say(event("c7"));
    wire.cut();
    await flush();
    expect(links.at(-1)).toMatchObject({ state: "paused" });
    await vi.advanceTimersByTimeAsync(1_000);
    expect(wire.asked).toEqual([null, "c7"]);
    expect(feed.resumed).toBe(true);
  });

  it("knows that a line without a cursor begins at its own now, whichever line it is", async () => {
    wire.say({ kind: "heartbeat" });
    wire.cut();
    await flush();
    await vi.advanceTimersByTimeAsync(1_000);
    expect(wire.asked).toEqual([null, null]);
    expect(feed.resumed).toBe(false);
  });

  it("goes on from the cursor that a gap names", async () => {
    wire.say({ kind: "snapshot_required", cursor: "new-epoch" });
    wire.cut();
    await vi.advanceTimersByTimeAsync(1_000);
    expect(wire.asked.at(-1)).toBe("new-epoch");
  });

  it("takes long silence for a dead line", async () => {
    wire.say({ kind: "heartbeat" });
    await vi.advanceTimersByTimeAsync(36_000);
    expect(wire.asked.length).toBe(2);
  });

  it("stays while heartbeats come", async () => {
    for (let i = 0; i < 5; i += 1) {
      wire.say({ kind: "heartbeat" });
      await vi.advanceTimersByTimeAsync(20_000);
    }
    expect(wire.asked.length).toBe(1);
  });

  it("stops asking when the token is refused", async () => {
    wire.cut(new WireError("401", true));
    await flush();
    expect(links.at(-1)?.state).toBe("refused");
    await vi.advanceTimersByTimeAsync(60_000);
    expect(wire.asked.length).toBe(1);
  });

  it("tries at once when asked to", async () => {
    wire.cut();
    await flush();
    feed.retryNow();
    await flush();
    expect(wire.asked.length).toBe(2);
  });
});

describe("the pause before a try", () => {
  it("grows to 30 s and is never the same for everybody", () => {
    expect([1, 2, 3, 6, 20].map((attempt) => pauseBefore(attempt, () => 1))).toEqual([1000, 2000, 4000, 30000, 30000]);
    expect(pauseBefore(3, () => 0)).toBe(2000);
  });
});

describe("a block of the stream", () => {
  it("is an event with its cursor", () => {
    expect(incomingOf('id: c1\ndata: {"version": 3}')).toEqual({ kind: "event", cursor: "c1", event: { version: 3 } });
  });
  it("may ask for a snapshot", () => {
    expect(incomingOf("id: c2\nevent: snapshot_required\ndata: {}")).toEqual({ kind: "snapshot_required", cursor: "c2" });
  });
  it("is a heartbeat when it is a comment, a retry hint or damaged", () => {
    for (const text of [": still here", "retry: 1000", "id: c3\ndata: {broken"]) expect(incomingOf(text).kind).toBe("heartbeat");
  });
});

import { QueryObserver } from "@tanstack/react-query";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { keys, queryClient } from "./queries";
import { catchUp, readSoon } from "./rereads";

/** A screen that shows this, and how often it was read. */
function shown<T>(queryKey: readonly string[], answer: () => Promise<T>): { read: ReturnType<typeof vi.fn>; leave: () => void } {
  const read = vi.fn(answer);
  return { read, leave: new QueryObserver(queryClient, { queryKey, queryFn: read }).subscribe(() => undefined) };
}

// The pace is the module's own: each test begins after the last one's rest.
let clock = Date.now();
beforeEach(() => void vi.useFakeTimers({ now: (clock += 3_600_000) }));
afterEach(async () => {
  await vi.advanceTimersByTimeAsync(10_000);
  queryClient.clear();
  vi.useRealTimers();
});

describe("what no record tells", () => {
  it("is read a few times a second, however many events name it", async () => {
    const screen = shown(keys.history("ins_1"), async () => ({ items: [] }));
    await vi.advanceTimersByTimeAsync(1_000);
    for (let ms = 0; ms < 2_000; ms += 10) {
      readSoon(["ins_1"]);
      await vi.advanceTimersByTimeAsync(10);
    }
    expect(screen.read.mock.calls.length).toBeGreaterThanOrEqual(4);
    expect(screen.read.mock.calls.length).toBeLessThanOrEqual(6);
    screen.leave();
  });

  it("is not thrown away while it is being read, and read once more when that has come", async () => {
    const screen = shown(keys.history("ins_1"), () => new Promise((resolve) => setTimeout(() => resolve({ items: [] }), 900)));
    readSoon(["ins_1"]);
    await vi.advanceTimersByTimeAsync(850);
    expect(screen.read).toHaveBeenCalledTimes(1);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(screen.read).toHaveBeenCalledTimes(2);
    screen.leave();
  });

  it("is found by the id of a record whose address is a name", async () => {
    const screen = shown(keys.deployment("orders"), async () => ({ id: "dep_1" }));
    await vi.advanceTimersByTimeAsync(1_000);
    readSoon(["dep_1"]);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(screen.read).toHaveBeenCalledTimes(2);
    screen.leave();
  });

  it("is read once more when the line begins after it was asked for, and steady things are not", async () => {
    const early = shown(keys.instance("shop"), () => new Promise((resolve) => setTimeout(() => resolve("ins_1"), 300)));
    const steady = shown(["lifecycle"], async () => ({}));
    void catchUp();
    await vi.advanceTimersByTimeAsync(1_000);
    expect(early.read).toHaveBeenCalledTimes(2);
    expect(steady.read).toHaveBeenCalledTimes(1);
    early.leave();
    steady.leave();
  });
});

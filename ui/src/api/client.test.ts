import { afterEach, beforeEach, expect, it, vi } from "vitest";

import { eventsList, lifecycleGet, orphansList, PATIENT } from "./client";
import { client } from "./generated/client.gen";
import { NoAnswer } from "./problems";

const ended = vi.fn();
const ofSignal = (signal: AbortSignal | null | undefined): Promise<never> => new Promise((_, reject) => signal?.addEventListener("abort", () => reject(new DOMException("aborted", "AbortError"))));
/** The client throws what it was told to. */
const failing = (call: Promise<unknown>): void => void call.catch(ended);

beforeEach(() => {
  vi.useFakeTimers();
  ended.mockReset();
  client.setConfig({ baseUrl: "http://berth.test" });
  vi.stubGlobal("fetch", (_: Request, init?: RequestInit) => ofSignal(init?.signal));
});
afterEach(() => {
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

it("takes a server that hangs for one that does not answer", async () => {
  failing(lifecycleGet());
  await vi.advanceTimersByTimeAsync(14_900);
  expect(ended).not.toHaveBeenCalled();
  await vi.advanceTimersByTimeAsync(200);
  expect(ended).toHaveBeenCalledWith(expect.any(NoAnswer));
});

it("takes an answer that never ends for none, too", async () => {
  vi.stubGlobal("fetch", (_: Request, init?: RequestInit) => {
    const body = new ReadableStream({ start: (controller) => init?.signal?.addEventListener("abort", () => controller.error(new DOMException("aborted", "AbortError"))) });
    return Promise.resolve(new Response(body, { headers: { "Content-Type": "application/json" } }));
  });
  failing(lifecycleGet());
  await vi.advanceTimersByTimeAsync(15_100);
  expect(ended).toHaveBeenCalledWith(expect.any(NoAnswer));
});

it("waits longer where the server was asked to wait, and where it asks others", async () => {
  failing(eventsList({ query: { wait: 20 } }));
  failing(orphansList(PATIENT));
  await vi.advanceTimersByTimeAsync(34_900);
  expect(ended).not.toHaveBeenCalled();
  await vi.advanceTimersByTimeAsync(40_000);
  expect(ended).toHaveBeenCalledTimes(2);
});

it("hands over what came, whole", async () => {
  vi.stubGlobal("fetch", () => Promise.resolve(new Response(JSON.stringify({ items: [] }), { status: 202, headers: { "Content-Type": "application/json", Date: "now" } })));
  const { data, response } = await eventsList();
  expect(data).toEqual({ items: [] });
  expect(response.status).toBe(202);
});

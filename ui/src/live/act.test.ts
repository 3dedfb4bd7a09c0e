import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import type { Instance } from "@/api/client";
import { client } from "@/api/generated/client.gen";
import { mayHaveHappened } from "@/api/problems";
import { useToasts } from "@/lib/toasts";

import { act, actOnMany } from "./act";
import { asks, startEmpty, takeRecords } from "./store";

const record = (id: string): Instance =>
  ({ id, name: id, status: "running", version: 5, current_operation: null, allowed_actions: [{ action: "restart", label: "Restart", enabled: true, button: true }] }) as unknown as Instance;
const json = (body: unknown, status = 200): Response => new Response(JSON.stringify(body), { status, headers: { "Content-Type": "application/json" } });
const toasts = (): string[] => useToasts.getState().shown.map((toast) => toast.title);

/** How the server takes a change, one after the other; reads always work. */
let answers: (() => Promise<Response>)[];
const away = (): Promise<Response> => Promise.reject(new TypeError("Failed to fetch"));

beforeEach(() => {
  vi.useFakeTimers();
  client.setConfig({ baseUrl: "http://berth.test" });
  vi.stubGlobal("fetch", (request: Request) => (request.method === "GET" ? Promise.resolve(json(record(request.url.split("/").at(-1) ?? ""))) : (answers.shift() ?? away)()));
  startEmpty();
  useToasts.setState({ shown: [] });
  takeRecords([record("ins_1"), record("ins_2")]);
});
afterEach(() => {
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

describe("a request that nobody answers", () => {
  it("is asked for again, and nothing is said any more once it is answered, also at the last try", async () => {
    answers = [away, away, away, () => Promise.resolve(json({ instance: record("ins_1"), operation: { id: "op_1", done: false } }, 202))];
    const asked = act(record("ins_1"), "restart");
    await vi.advanceTimersByTimeAsync(5_000);
    expect(toasts()).toEqual(["No answer yet"]);
    expect(asks.get("ins_1")?.phase).toBe("unconfirmed");
    await vi.advanceTimersByTimeAsync(10_000);
    expect(await asked).toBe(true);
    expect(toasts()).toEqual([]);
  });

  it("is one that a hanging server keeps, too: after a while it is said and asked again", async () => {
    const keys: (string | null)[] = [];
    const hangs = (request: Request, init?: RequestInit): Promise<Response> => {
      keys.push(request.headers.get("Idempotency-Key"));
      return new Promise((_, reject) => init?.signal?.addEventListener("abort", () => reject(new DOMException("aborted", "AbortError"))));
    };
    vi.stubGlobal("fetch", hangs);
    void act(record("ins_1"), "restart");
    await vi.advanceTimersByTimeAsync(14_000);
    expect(toasts()).toEqual([]);
    await vi.advanceTimersByTimeAsync(3_000);
    expect(toasts()).toEqual(["No answer yet"]);
    expect(asks.get("ins_1")?.phase).toBe("unconfirmed");
    expect(keys).toHaveLength(2);
    expect(new Set(keys).size).toBe(1);
  });

  it("is taken back once the server says that nothing has changed, with words", async () => {
    answers = [];
    void act(record("ins_1"), "restart");
    await vi.advanceTimersByTimeAsync(15_000);
    expect(asks.size).toBe(0);
    expect(toasts()).toEqual(["Restart did not arrive"]);
  });

  it("leaves no row waiting for ever where it was for many", async () => {
    answers = [];
    const asked = actOnMany([record("ins_1"), record("ins_2")], "restart");
    await vi.advanceTimersByTimeAsync(15_000);
    expect((await asked).every((row) => row.error !== null)).toBe(true);
    expect(asks.size).toBe(0);
    // One word, and it names them all.
    expect(toasts()).toEqual(["Restart did not arrive"]);
    expect(useToasts.getState().shown[0]?.detail).toContain("ins_1 and ins_2 are as they were");
  });

  it("is not called refused where the server failed to the end: it is asked what came of it", async () => {
    const fails = () => Promise.resolve(json({ title: "Berth made a mistake", status: 500, code: "internal", detail: "It is logged" }, 500));
    answers = [fails, fails, fails, fails];
    const asked = act(record("ins_1"), "restart");
    await vi.advanceTimersByTimeAsync(15_000);
    expect(await asked).toBe(false);
    expect(useToasts.getState().shown).toMatchObject([{ tone: "unsure", title: "Restart did not arrive", detail: expect.stringContaining("Berth made a mistake. It is logged. ins_1 is as it was.") }]);
  });

  it("is said to be under way no more once a request for many was refused", async () => {
    answers = [away, () => Promise.resolve(json({ title: "No", status: 403, code: "forbidden", detail: "not yours" }, 403))];
    const asked = actOnMany([record("ins_1"), record("ins_2")], "restart");
    await vi.advanceTimersByTimeAsync(5_000);
    await asked;
    expect(toasts()).toEqual([]);
    expect(asks.size).toBe(0);
  });

  it("is the same for a row that the answer for many does not tell of, or tells to have failed", async () => {
    answers = [() => Promise.resolve(json({ items: [{ id: "ins_1", status: 500, problem: { title: "Berth made a mistake", status: 500, code: "internal", detail: "" } }] }, 207))];
    const rows = await actOnMany([record("ins_1"), record("ins_2")], "restart");
    expect(rows.map((row) => mayHaveHappened(row.error))).toEqual([true, true]);
    await vi.advanceTimersByTimeAsync(100);
    expect(asks.size).toBe(0);
    expect(toasts()).toEqual(["Restart did not arrive"]);
  });
});

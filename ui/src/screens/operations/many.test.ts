import { afterEach, beforeEach, expect, it, vi } from "vitest";

import type { OperationForm } from "@/api/client";
import { client } from "@/api/generated/client.gen";
import { mayHaveHappened } from "@/api/problems";
import { useToasts } from "@/lib/toasts";

import { askMany } from "./many";

const operation = { id: "op_1", instance_ids: ["ins_1"], instance_names: ["demo"], deployment_name: "demo" } as unknown as OperationForm;
const json = (body: unknown, status = 200): Response => new Response(JSON.stringify(body), { status, headers: { "Content-Type": "application/json" } });
const keys: (string | null)[] = [];
let answers: (() => Promise<Response>)[];

beforeEach(() => {
  vi.useFakeTimers();
  client.setConfig({ baseUrl: "http://berth.test" });
  useToasts.setState({ shown: [] });
  keys.length = 0;
  vi.stubGlobal("fetch", (request: Request) => {
    if (request.method === "GET") return Promise.resolve(json(operation));
    keys.push(request.headers.get("Idempotency-Key"));
    return (answers.shift() ?? (() => Promise.reject(new TypeError("Failed to fetch"))))();
  });
});
afterEach(() => {
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

it("asks again for many under the same key while nobody answers", async () => {
  answers = [() => Promise.reject(new TypeError("Failed to fetch")), () => Promise.resolve(json({ items: [{ id: "ins_1", status: 202 }] }, 207))];
  const asked = askMany([operation], "retry", "Retry");
  await vi.advanceTimersByTimeAsync(2_000);
  expect(await asked).toEqual([{ id: "op_1", name: "demo", error: null }]);
  expect(keys).toHaveLength(2);
  expect(new Set(keys).size).toBe(1);
  expect(useToasts.getState().shown).toEqual([]);
});

it("does not call refused what nobody answered", async () => {
  answers = [];
  const asked = askMany([operation], "retry", "Retry");
  await vi.advanceTimersByTimeAsync(15_000);
  expect((await asked).map((row) => mayHaveHappened(row.error))).toEqual([true]);
  expect(useToasts.getState().shown).toEqual([]);
});

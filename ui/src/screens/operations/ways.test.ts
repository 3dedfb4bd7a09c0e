import { afterEach, beforeEach, expect, it, vi } from "vitest";

import { type OperationForm, operationsRetry } from "@/api/client";
import { client } from "@/api/generated/client.gen";
import { useToasts } from "@/lib/toasts";

import { askOperation } from "./ways";

const operation = { id: "op_1", instance_names: ["demo"], deployment_name: "demo" } as unknown as OperationForm;
const json = (body: unknown, status = 200): Response => new Response(JSON.stringify(body), { status, headers: { "Content-Type": "application/json" } });
const toasts = (): string[] => useToasts.getState().shown.map((toast) => `${toast.tone}: ${toast.title}`);
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

it("asks again under the same key while nobody answers, and never calls that a refusal", async () => {
  answers = [];
  const asked = askOperation(operation, "Retry", operationsRetry);
  await vi.advanceTimersByTimeAsync(100);
  expect(toasts()).toEqual(["unsure: No answer yet"]);
  await vi.advanceTimersByTimeAsync(15_000);
  expect(await asked).toBe(false);
  expect(toasts()).toEqual(["unsure: No answer to Retry"]);
  expect(keys).toHaveLength(4);
  expect(new Set(keys).size).toBe(1);
});

it("says nothing any more once it is answered, and what was refused is called so", async () => {
  answers = [() => Promise.reject(new TypeError("Failed to fetch")), () => Promise.resolve(json({ operation }, 202))];
  const asked = askOperation(operation, "Retry", operationsRetry);
  await vi.advanceTimersByTimeAsync(2_000);
  expect(await asked).toBe(true);
  expect(toasts()).toEqual([]);

  answers = [() => Promise.resolve(json({ title: "No", status: 409, code: "conflict", detail: "it moves" }, 409))];
  expect(await askOperation(operation, "Retry", operationsRetry)).toBe(false);
  expect(toasts()).toEqual(["refused: Retry was refused: no"]);
});

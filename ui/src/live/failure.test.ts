import { afterEach, beforeEach, expect, it, vi } from "vitest";

import type { Problem } from "@/api/client";
import { Refusal } from "@/api/problems";
import { useAnnouncement } from "@/lib/announce";
import { useToasts } from "@/lib/toasts";

import { sayFailure } from "./failure";

beforeEach(() => {
  vi.useFakeTimers();
  useAnnouncement.setState({ text: "" });
  useToasts.setState({ shown: [] });
});
afterEach(() => {
  vi.useRealTimers();
});

it("a refusal is read out once, by the alert that shows it", () => {
  const problem = { title: "Busy", status: 409, code: "busy", detail: "An upgrade runs." } as unknown as Problem;
  sayFailure({ id: "key", label: "Stop", whom: "demo" }, new Refusal(problem));
  vi.advanceTimersByTime(10_000);
  expect(useToasts.getState().shown.map((toast) => [toast.tone, toast.detail])).toEqual([["refused", "An upgrade runs."]]);
  expect(useAnnouncement.getState().text).toBe("");
});

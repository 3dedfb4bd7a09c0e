// @vitest-environment jsdom
import { QueryClientProvider } from "@tanstack/react-query";
import { cleanup, render, screen } from "@testing-library/react";
import { afterEach, beforeEach, expect, it, vi } from "vitest";

import type { OperationForm } from "@/api/client";
import { lifecycleOf } from "@/lib/lifecycle";
import { queryClient } from "@/live/queries";

import { OperationPart } from "./OperationPart";

const NOW = new Date("2026-01-01T12:00:00Z");
const before = (seconds: number): string => new Date(NOW.getTime() - seconds * 1000).toISOString();
const waiting = (seconds: number, more: object = {}): OperationForm =>
  ({ id: "op_1", kind: "lull", status: "pending", done: false, started_at: null, created_at: before(seconds), slow_at: null, stuck_at: null, steps: [], progress: {}, actor: "ana", usual: null, ...more }) as unknown as OperationForm;
const line = (operation: OperationForm): Element | null => {
  render(<QueryClientProvider client={queryClient}><OperationPart operation={operation} /></QueryClientProvider>);
  return screen.getByText(/not started yet|no worker|never began/);
};

beforeEach(() => {
  vi.useFakeTimers({ now: NOW });
  queryClient.setQueryData(["lifecycle"], lifecycleOf({ statuses: [], moves: [], operations: [] }));
});
afterEach(() => {
  cleanup();
  vi.useRealTimers();
});

it("says of what was just asked only that", () => {
  expect(line(waiting(14))?.textContent).toBe("Asked, not started yet.");
});
it("says how long nobody has begun it", () => {
  expect(line(waiting(130))?.closest("p")?.textContent).toBe("Asked 2m 10s ago, and no worker has taken it yet.");
});
it("says that it is late, as of what has begun", () => {
  const said = line(waiting(130, { slow_at: before(60) }))?.closest("p");
  expect(said?.textContent).toBe("Asked 2m 10s ago, and no worker has taken it yet: slower than usual.");
  expect(said?.querySelector(".late")).toBeTruthy();
});
it("says that its deadline has passed", () => {
  expect(line(waiting(900, { slow_at: before(800), stuck_at: before(60) }))?.closest("p")?.textContent).toBe("Asked 15m ago, and no worker has taken it yet: past its deadline.");
});
it("says of what is over that it never began", () => {
  expect(line(waiting(900, { done: true }))?.textContent).toBe("It never began.");
});

// @vitest-environment jsdom
import { QueryClientProvider } from "@tanstack/react-query";
import { cleanup, fireEvent, render, screen } from "@testing-library/react";
import { afterEach, beforeEach, expect, it, vi } from "vitest";

import type { Instance, Me } from "@/api/client";
import { lifecycleOf } from "@/lib/lifecycle";
import { useQuestion } from "@/lib/question";
import { useUi } from "@/lib/ui";
import { queryClient } from "@/live/queries";
import { startEmpty, takeRecords } from "@/live/store";

import Palette from "./Palette";

const table = lifecycleOf({
  statuses: [{ name: "awake" }, { name: "dozing" }, { name: "over" }],
  moves: [{ operation: "finish", legal_from: ["awake"], during: "dozing", done: "over" }],
  operations: [],
});
const instance = {
  id: "ins_1", name: "demo", status: "awake", version: 3, provider: "here", current_operation: null,
  allowed_actions: [{ action: "finish", label: "Finish", button: true, enabled: true }],
} as unknown as Instance;
const problem = { type: "about:blank", title: "Not now", status: 403, code: "denied", detail: "The token has ended." };
let answer: () => Promise<Response>;

const note = (): string | null => screen.getByRole("status", { hidden: true }).textContent;
function type(text: string): void {
  render(
    <QueryClientProvider client={queryClient}>
      <Palette />
    </QueryClientProvider>,
  );
  fireEvent.change(screen.getByRole("combobox"), { target: { value: text } });
}

beforeEach(() => {
  startEmpty();
  queryClient.clear();
  queryClient.setQueryData(["lifecycle"], table);
  queryClient.setQueryData(["me"], { principal: "ana", role: "admin", rights: ["self", "read", "operate", "admin"], project: "default", projects: [] } as unknown as Me);
  answer = () => new Promise(() => undefined);
  // The address of a page is the beginning of what it asks for.
  vi.stubGlobal("Request", class extends Request { constructor(url: RequestInfo | URL, init?: RequestInit) { super(typeof url === "string" ? new URL(url, "http://berth.test") : url, init); } });
  vi.stubGlobal("fetch", () => answer());
  vi.stubGlobal("ResizeObserver", class { observe() {} unobserve() {} disconnect() {} });
});
afterEach(() => {
  cleanup();
  useQuestion.getState().close();
  useUi.getState().close();
  vi.unstubAllGlobals();
});

it("says that it searches while it does, and that nothing is named so only when it knows", async () => {
  let tell: (response: Response) => void = () => undefined;
  answer = () => new Promise((resolve) => (tell = resolve));
  type("zebra");
  expect(note()).toBe("Searching…");
  await vi.waitFor(() => {
    tell(Response.json({ items: [], counts: {}, next_page_token: null }));
    expect(note()).toBe("Nothing is named like that.");
  });
});

it("says why the search failed", async () => {
  answer = () => Promise.resolve(Response.json(problem, { status: 403, headers: { "content-type": "application/problem+json" } }));
  type("zebra");
  await vi.waitFor(() => expect(note()).toBe("Only what was loaded already was searched. The token has ended."));
});

it("what ends something is asked about at once, on the page where one is", () => {
  takeRecords([instance]);
  const before = location.pathname;
  type("finish demo");
  expect(screen.getAllByRole("option")[0]?.textContent).toBe("Finish demois asked again first");
  const option = screen.getAllByRole("option")[0] as HTMLElement;
  fireEvent.mouseDown(option);
  fireEvent.click(option);
  expect(useQuestion.getState().asked).toEqual({ instanceId: "ins_1", action: "finish" });
  expect(location.pathname).toBe(before);
});

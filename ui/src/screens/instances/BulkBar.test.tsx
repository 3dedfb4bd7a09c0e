// @vitest-environment jsdom
import { QueryClientProvider } from "@tanstack/react-query";
import { act, cleanup, fireEvent, render, screen } from "@testing-library/react";
import { afterEach, beforeEach, expect, it, vi } from "vitest";

import type { Instance, Me } from "@/api/client";
import { lifecycleOf } from "@/lib/lifecycle";
import { useToasts } from "@/lib/toasts";
import { queryClient } from "@/live/queries";
import { startEmpty, takeRecords } from "@/live/store";

import { BulkBar } from "./BulkBar";
import { useSelection } from "./selection";

const table = lifecycleOf({
  statuses: [{ name: "awake" }, { name: "dozing" }, { name: "over" }],
  moves: [{ operation: "finish", legal_from: ["awake"], during: "dozing", done: "over" }],
  operations: [],
});
const record = (version: number, enabled: boolean): Instance =>
  ({
    id: "ins_1", name: "demo", status: "awake", version, spec: { members: 1 }, current_operation: null,
    allowed_actions: [{ action: "finish", label: "Finish", button: true, enabled }, { action: "other", label: "Other", button: true, enabled: true }],
  }) as unknown as Instance;

beforeEach(() => {
  startEmpty();
  useToasts.setState({ shown: [] });
  queryClient.setQueryData(["lifecycle"], table);
  queryClient.setQueryData(["me"], { principal: "ana", role: "admin", rights: ["operate"], project: "default", projects: [] } as unknown as Me);
  vi.stubGlobal("ResizeObserver", class { observe() {} unobserve() {} disconnect() {} });
  takeRecords([record(1, true)]);
  useSelection.setState({ picked: new Set(["ins_1"]) });
});
afterEach(() => {
  cleanup();
  useSelection.getState().clear();
  vi.unstubAllGlobals();
});

it("a question that applies to nothing any more closes for good and says so", async () => {
  render(
    <QueryClientProvider client={queryClient}>
      <BulkBar />
    </QueryClientProvider>,
  );
  fireEvent.click(screen.getByRole("button", { name: /^Finish/ }));
  expect(screen.getByRole("alertdialog")).toBeTruthy();
  await act(async () => takeRecords([record(2, false)]));
  await vi.waitFor(() => expect(screen.queryByRole("alertdialog")).toBeNull());
  expect(useToasts.getState().shown.map((toast) => toast.title)).toEqual(["Finish is no longer possible"]);
  await act(async () => takeRecords([record(3, true)]));
  await vi.waitFor(() => expect(screen.getByRole("button", { name: /^Finish/, hidden: true })).toBeTruthy());
  expect(screen.queryByRole("alertdialog")).toBeNull();
});

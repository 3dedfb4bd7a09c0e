// @vitest-environment jsdom
import { QueryClientProvider } from "@tanstack/react-query";
import { cleanup, fireEvent, render, screen, waitFor } from "@testing-library/react";
import { afterEach, beforeEach, expect, it, vi } from "vitest";

import type { Me, OperationForm } from "@/api/client";
import { queryClient } from "@/live/queries";
import { startEmpty } from "@/live/store";

import type { Group } from "./groups";
import { OperationRow } from "./OperationRow";

const parked = {
  id: "op_1", kind: "lull", status: "failed", done: true, needs_you: true, parked_until: "2999-01-01T00:00:00Z", cancel_requested: false, temporal_url: "http://temporal.test/w",
  instance_ids: ["ins_1"], instance_names: ["demo"], deployment_name: "demo", steps: [], progress: {}, created_at: "2026-01-01T00:00:00Z", actor: "ana", error: null, usual: null,
} as unknown as OperationForm;

function show(operation: OperationForm, group: Group): void {
  render(
    <QueryClientProvider client={queryClient}>
      <table>
        <tbody>
          <OperationRow operation={operation} group={group} picked={false} onPick={() => undefined} />
        </tbody>
      </table>
    </QueryClientProvider>,
  );
}

beforeEach(() => {
  startEmpty();
  queryClient.setQueryData(["me"], { principal: "ana", role: "admin", rights: ["operate"], project: "default", projects: [] } as unknown as Me);
  vi.stubGlobal("fetch", () => new Promise(() => undefined));
  vi.stubGlobal("ResizeObserver", class { observe() {} unobserve() {} disconnect() {} });
});
afterEach(() => {
  cleanup();
  vi.unstubAllGlobals();
});

it("where only the first way out has room, the others stand behind the dots", async () => {
  show(parked, "parked");
  const dots = screen.getByRole("button", { name: /^Other ways out of/ });
  expect(dots.closest(".narrow")).not.toBeNull();
  fireEvent.keyDown(dots, { key: "ArrowDown" });
  const items = await screen.findAllByRole("menuitem");
  expect(items.map((item) => item.textContent)).toEqual(["Abort", "Open in Temporal"]);
  fireEvent.click(items[0] as HTMLElement);
  await waitFor(() => expect(screen.getByRole("button", { name: "Abort", hidden: true }).getAttribute("aria-busy")).toBe("true"));
});

it("one way has no dots", () => {
  show({ ...parked, id: "op_2", done: false, needs_you: false, status: "running", parked_until: null } as OperationForm, "moving");
  expect(screen.queryByRole("button", { name: /^Other ways out of/ })).toBeNull();
});

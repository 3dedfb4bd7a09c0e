// @vitest-environment jsdom
import { cleanup, render, screen } from "@testing-library/react";
import { QueryClientProvider } from "@tanstack/react-query";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

import type { Instance } from "@/api/client";
import { lifecycleOf } from "@/lib/lifecycle";
import { queryClient } from "@/live/queries";
import { begin, startEmpty } from "@/live/store";

import { ActionButtons } from "./Actions";
import { Badge, InstanceStatus } from "./Status";

const table = lifecycleOf({
  statuses: [{ name: "awake" }, { name: "dozing" }, { name: "over" }],
  moves: [
    { operation: "lull", legal_from: ["awake"], during: "dozing", done: "awake" },
    { operation: "finish", legal_from: ["awake", "dozing"], during: "dozing", done: "over" },
  ],
  operations: [],
});
const instance = {
  id: "ins_1",
  name: "demo",
  status: "awake",
  version: 3,
  current_operation: null,
  allowed_actions: [
    { action: "lull", label: "Lull", button: true, enabled: true },
    { action: "wake", label: "Wake", button: true, enabled: false, reason: "it is awake" },
    { action: "finish", label: "Finish", button: true, enabled: true },
    { action: "hidden", label: "Hidden", button: false, enabled: false, reason: "no" },
  ],
} as unknown as Instance;
const show = (node: React.ReactNode) => render(<QueryClientProvider client={queryClient}>{node}</QueryClientProvider>);

beforeEach(() => {
  queryClient.setQueryData(["lifecycle"], table);
  startEmpty();
});
afterEach(cleanup);

describe("a status that nobody knows", () => {
  it("is shown as the server wrote it, in a neutral hue", () => {
    const { container } = render(<Badge status="hibernating" />);
    expect(container.textContent).toContain("hibernating");
    expect(container.querySelector(".status")?.getAttribute("data-hue")).toBe("zinc");
  });
});

describe("the buttons", () => {
  it("are those of the server's table, in its words, with its reasons, the ending one last", () => {
    show(<ActionButtons instance={instance} />);
    const buttons = screen.getAllByRole("button");
    expect(buttons.map((button) => button.textContent)).toEqual(["Lull", "Wake", "Finish…"]);
    expect(buttons.map((button) => button.getAttribute("aria-disabled"))).toEqual([null, "true", null]);
    expect(screen.getByText("it is awake")).toBeTruthy();
  });
});

describe("what was asked", () => {
  it("shows the table's in-progress status at once, marked as asked", () => {
    begin([{ instanceId: "ins_1", instanceName: "demo", action: "lull", label: "Lull", during: "dozing", baseStatus: "awake", baseVersion: 3, key: "k", askedAt: 0, phase: "sent", operationId: null }]);
    const { container } = show(<InstanceStatus instance={instance} />);
    const badge = container.querySelector(".status");
    expect(badge?.getAttribute("data-status")).toBe("dozing");
    expect(badge?.hasAttribute("data-pending")).toBe(true);
  });
});

// @vitest-environment jsdom
import { QueryClientProvider } from "@tanstack/react-query";
import { cleanup, fireEvent, render, screen } from "@testing-library/react";
import type { ReactNode } from "react";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import type { Instance, Me, OperationForm } from "@/api/client";
import { useToasts } from "@/lib/toasts";
import { useUi } from "@/lib/ui";
import { queryClient } from "@/live/queries";
import { startEmpty } from "@/live/store";
import { SecretsPart } from "@/screens/instance/SecretsPart";
import { NoInstances } from "@/screens/instances/Nothing";
import HostsScreen from "@/screens/hosts/HostsScreen";
import { OperationRow } from "@/screens/operations/OperationRow";
import { OperationsBulk, RetryAll } from "@/screens/operations/OperationsBulk";
import StatisticsScreen from "@/screens/statistics/StatisticsScreen";

import { Bar } from "./Bar";
import { Shortcuts } from "./Shortcuts";

const WHY = "The role viewer may not do this";
const asked: string[] = [];
const soon = "2026-01-01T00:00:00Z";
const parked = {
  id: "op_1", kind: "lull", status: "failed", done: true, needs_you: true, parked_until: "2999-01-01T00:00:00Z", cancel_requested: false,
  instance_ids: ["ins_1"], instance_names: ["demo"], deployment_name: "demo", steps: [], progress: {}, created_at: soon, actor: "ana", error: null, usual: null,
} as unknown as OperationForm;
const open = { ...parked, id: "op_2", done: false, needs_you: false, status: "running", parked_until: null } as unknown as OperationForm;

function be(role: string, rights: string[]): void {
  queryClient.setQueryData(["me"], { principal: "ana", role, rights, project: "default", projects: [] } as unknown as Me);
}
const show = (node: ReactNode) => render(<QueryClientProvider client={queryClient}>{node}</QueryClientProvider>);
const off = (name: RegExp): (string | null)[] => screen.getAllByRole("button", { name }).map((button) => (button.getAttribute("aria-disabled") === "true" ? button.title : null));

beforeEach(() => {
  startEmpty();
  queryClient.clear();
  useToasts.setState({ shown: [] });
  asked.length = 0;
  vi.stubGlobal("fetch", (request: Request) => (asked.push(new URL(request.url, "http://berth.test").pathname), new Promise(() => undefined)));
  be("viewer", ["self", "read"]);
});
afterEach(() => {
  cleanup();
  useUi.getState().close();
  vi.unstubAllGlobals();
});

describe("who may only look", () => {
  it("reads on each way out of an operation why it is not theirs", () => {
    show(<table><tbody><OperationRow operation={parked} group="parked" picked={false} onPick={() => undefined} /><OperationRow operation={open} group="moving" picked={false} onPick={() => undefined} /></tbody></table>);
    expect(off(/^(Retry|Abort|Cancel)$/)).toEqual([WHY, WHY, WHY]);
  });
  it("reads it on what is asked of many", () => {
    show(<><RetryAll parked={[parked]} /><OperationsBulk picked={[parked, open]} now={0} onClear={() => undefined} /></>);
    expect(off(/retry|cancel/i)).toEqual([WHY, WHY, WHY]);
  });
  it("reads it on secrets and on creating", () => {
    show(<><SecretsPart instance={{ id: "ins_1" } as unknown as Instance} /><NoInstances /></>);
    expect(off(/^(Show|Create instance|Start a demo instance)$/)).toEqual([WHY, WHY, WHY]);
  });
  it("is told so by the key that creates", () => {
    show(<Shortcuts />);
    fireEvent.keyDown(window, { key: "c" });
    expect(useUi.getState().creating).toBe(false);
    expect(useToasts.getState().shown.map((toast) => toast.detail)).toEqual([`${WHY}.`]);
  });
  it("is offered no screen that refuses them", () => {
    show(<Bar />);
    expect(screen.getByRole("link", { name: "Instances" })).toBeTruthy();
    for (const name of ["Hosts", "Statistics"]) expect(screen.queryByRole("link", { name })).toBeNull();
  });
  it("reads there who may, and nothing is asked for", () => {
    show(<><HostsScreen /><StatisticsScreen /></>);
    expect(screen.getAllByText(`${WHY}.`)).toHaveLength(2);
    expect(asked.filter((path) => /hosts|stats|orphans/.test(path))).toEqual([]);
  });
});

describe("who may do everything", () => {
  it("finds it all as before", () => {
    be("admin", ["self", "read", "operate", "reveal", "admin"]);
    show(<><Bar /><RetryAll parked={[parked]} /><SecretsPart instance={{ id: "ins_1" } as unknown as Instance} /></>);
    expect(off(/^(Show|Retry all parked)/)).toEqual([null, null]);
    for (const name of ["Hosts", "Statistics"]) expect(screen.getByRole("link", { name })).toBeTruthy();
  });
});

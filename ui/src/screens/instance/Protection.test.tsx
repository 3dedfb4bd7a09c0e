// @vitest-environment jsdom
import { QueryClientProvider } from "@tanstack/react-query";
import { cleanup, fireEvent, render, screen, waitFor } from "@testing-library/react";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import type { Instance } from "@/api/client";
import { client } from "@/api/generated/client.gen";
import { queryClient } from "@/live/queries";

import { Protection } from "./Protection";

const instance = (subscription: Instance["subscription"]): Instance =>
  ({ id: "ins_1", name: "demo-1", deployment_id: "dep_1", deployment_name: "demo", deployment_version: 4, deletion_protection: true, subscription, spec: { members: 2 } }) as unknown as Instance;

const show = (subscription: Instance["subscription"]) =>
  render(
    <QueryClientProvider client={queryClient}>
      <Protection instance={instance(subscription)} />
    </QueryClientProvider>,
  );

let changes: unknown[];

beforeEach(() => {
  changes = [];
  vi.stubGlobal("ResizeObserver", class { observe() {} unobserve() {} disconnect() {} });
  client.setConfig({ baseUrl: "http://berth.test" });
  vi.stubGlobal("fetch", async (request: Request) => {
    if (request.method === "PATCH") changes.push(await request.json());
    return new Response("{}", { status: request.method === "PATCH" ? 202 : 404, headers: { "Content-Type": "application/json" } });
  });
});
afterEach(() => {
  cleanup();
  vi.unstubAllGlobals();
});

describe("turning protection off", () => {
  it("asks for the deployment's name where that alone keeps what billing has cancelled", async () => {
    show("cancelled");
    fireEvent.click(screen.getByRole("button", { name: "Turn off" }));
    const sure = screen.getByRole("button", { name: "Turn off protection and terminate demo" });
    expect(screen.getByText(/All 2 members of demo: .* its data and secrets go with it/)).toBeTruthy();
    fireEvent.click(sure);
    expect(changes).toEqual([]);
    fireEvent.change(screen.getByPlaceholderText("Type demo"), { target: { value: "demo" } });
    fireEvent.click(sure);
    await waitFor(() => expect(changes).toEqual([{ deletion_protection: false }]));
  });

  it("is done at once where nobody has cancelled anything", async () => {
    show("active");
    fireEvent.click(screen.getByRole("button", { name: "Turn off" }));
    await waitFor(() => expect(changes).toEqual([{ deletion_protection: false }]));
  });
});

// @vitest-environment jsdom
import { cleanup, render } from "@testing-library/react";
import { afterEach, beforeEach, expect, it, vi } from "vitest";

import type { Instance } from "@/api/client";
import { client } from "@/api/generated/client.gen";
import { startEmpty } from "@/live/store";

import { HealthLine, HealthMark } from "./Health";

const NOW = new Date("2026-01-01T12:00:00Z");
const probed = (seconds: number, health = "healthy"): Instance => ({ id: "ins_1", health, health_checked_at: new Date(NOW.getTime() - seconds * 1000).toISOString(), health_since: null, health_reason: "it is down" }) as unknown as Instance;
const asked = vi.fn();

beforeEach(() => {
  startEmpty();
  vi.useFakeTimers({ now: NOW });
  asked.mockReset();
  client.setConfig({ baseUrl: "http://berth.test" });
  vi.stubGlobal("fetch", (request: Request) => (asked(request.url), new Promise(() => undefined)));
});
afterEach(() => {
  cleanup();
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

it("is shown with its age while that is young", () => {
  const { container } = render(<HealthMark instance={probed(20)} />);
  expect(container.textContent).toBe("Healthy 20s");
  expect(asked).not.toHaveBeenCalled();
});

it("is unknown once it is too old, keeps its age, and is asked for once", async () => {
  const { container, rerender } = render(<HealthMark instance={probed(90)} />);
  rerender(<HealthMark instance={probed(90)} />);
  expect(container.textContent).toBe("Unknown 1m");
  expect(container.querySelector(".health")?.getAttribute("data-health")).toBe("unknown");
  await vi.advanceTimersByTimeAsync(3_000);
  expect(asked.mock.calls).toEqual([["http://berth.test/api/v1/instances/ins_1"]]);
});

it("is not asked for where the server itself knows nothing newer", async () => {
  render(<HealthMark instance={probed(900, "unknown")} />);
  await vi.advanceTimersByTimeAsync(3_000);
  expect(asked).not.toHaveBeenCalled();
});

it("says beside a title that it is unknown, and no reason of long ago", () => {
  const { container } = render(<HealthLine instance={probed(120, "unreachable")} />);
  expect(container.textContent).toBe("Health unknown (checked 2m ago)");
});

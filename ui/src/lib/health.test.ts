import { readFileSync } from "node:fs";
import { join } from "node:path";

import { expect, it } from "vitest";

import { BELIEVED_MS, believed, READ_EVERY_MS } from "./health";

const AT = "2026-01-01T00:00:00Z";
const after = (ms: number): number => new Date(AT).getTime() + ms;

it("is believed for a while and then unknown, whatever it was", () => {
  for (const health of ["healthy", "degraded", "unreachable"] as const) {
    expect(believed({ health, health_checked_at: AT }, after(BELIEVED_MS))).toBe(health);
    expect(believed({ health, health_checked_at: AT }, after(BELIEVED_MS + 1))).toBe("unknown");
  }
});

it("stays as the server says where nothing was looked at", () => {
  expect(believed({ health: "healthy", health_checked_at: null }, after(0))).toBe("healthy");
});

it("has the server's bound, and two readings of the page on top", () => {
  const rule = readFileSync(join(import.meta.dirname, "../../../domain/health.py"), "utf8");
  const between = Number(/PROBE_SECONDS = ([\d.]+)/.exec(rule)?.[1]);
  const times = Number(/STALE_AFTER = timedelta\(seconds=(\d+) \* PROBE_SECONDS\)/.exec(rule)?.[1]);
  expect(BELIEVED_MS).toBe(between * times * 1000 + 2 * READ_EVERY_MS);
  expect(BELIEVED_MS).toBe(60_000);
});

import { afterEach, beforeEach, expect, it, vi } from "vitest";

import { hearClock, serverNow } from "./clock";

const said = (seconds: number): string => new Date(Date.now() + seconds * 1000).toUTCString();

beforeEach(() => void vi.useFakeTimers({ now: Date.parse("2026-11-21T14:00:00Z") }));
afterEach(() => {
  hearClock(said(0));
  vi.useRealTimers();
});

it("goes by the server's clock where this one is off, and by its own where answers are merely slow", () => {
  hearClock(said(-2));
  expect(serverNow()).toBe(Date.now());
  hearClock(said(300));
  expect(serverNow()).toBe(Date.now() + 300_000);
  hearClock(said(301));
  expect(serverNow()).toBe(Date.now() + 300_000);
  hearClock(said(0));
  expect(serverNow()).toBe(Date.now());
  hearClock(null);
  expect(serverNow()).toBe(Date.now());
});

import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { Seldom } from "./seldom";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe("work asked for a hundred times a second", () => {
  it("is done soon after a rest and then at its pace", () => {
    const run = vi.fn(() => false);
    const seldom = new Seldom(run, 40, 500);
    for (let ms = 0; ms < 2_000; ms += 10) {
      seldom.ask();
      vi.advanceTimersByTime(10);
      if (ms === 40) expect(run).toHaveBeenCalledTimes(1);
    }
    expect(run).toHaveBeenCalledTimes(4);
  });

  it("is done once more where something was left", () => {
    const run = vi.fn().mockReturnValueOnce(true).mockReturnValue(false);
    new Seldom(run, 40, 500).ask();
    vi.advanceTimersByTime(5_000);
    expect(run).toHaveBeenCalledTimes(2);
  });
});

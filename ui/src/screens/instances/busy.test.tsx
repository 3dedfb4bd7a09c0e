// @vitest-environment jsdom
import { act, cleanup, fireEvent, render, screen } from "@testing-library/react";
import { useRef, useState } from "react";
import { afterEach, beforeEach, expect, it, vi } from "vitest";

import { TOUCH_STAYS_MS, useBusy } from "./busy";

function Rows() {
  const rows = useRef<HTMLTableSectionElement>(null);
  const [busy, setBusy] = useState(false);
  return (
    <>
      <output>{busy ? "held" : "free"}</output>
      <button type="button">elsewhere</button>
      <table><tbody ref={rows} data-testid="rows" {...useBusy(rows, setBusy)}><tr><td><a href="/one">one</a></td></tr></tbody></table>
    </>
  );
}
const order = (): string | null => screen.getByRole("status").textContent;
const rows = (): HTMLElement => screen.getByTestId("rows");

beforeEach(() => {
  vi.useFakeTimers();
  render(<Rows />);
});
afterEach(() => {
  cleanup();
  vi.useRealTimers();
});
const wait = (ms: number): void => act(() => void vi.advanceTimersByTime(ms));

it("rows are held under a mouse", () => {
  fireEvent.pointerEnter(rows(), { pointerType: "mouse" });
  expect(order()).toBe("held");
  fireEvent.pointerLeave(rows(), { pointerType: "mouse" });
  expect(order()).toBe("free");
});

it("rows are held under a finger, and for a moment after it has left", () => {
  fireEvent.touchStart(rows());
  wait(10 * TOUCH_STAYS_MS);
  expect(order()).toBe("held");
  fireEvent.touchEnd(rows());
  wait(TOUCH_STAYS_MS - 1);
  expect(order()).toBe("held");
  wait(1);
  expect(order()).toBe("free");
});

it("rows are held while the keyboard's focus is in one of them, and not by what a click has left there", () => {
  const link = screen.getByRole("link", { name: "one" });
  const other = screen.getByRole("button", { name: "elsewhere" });
  act(() => link.focus());
  expect(order()).toBe("free");
  act(() => other.focus());
  // Which focus the keyboard has brought is for a browser to know.
  vi.spyOn(link, "matches").mockImplementation((selector) => selector === ":focus-visible");
  act(() => link.focus());
  expect(order()).toBe("held");
  act(() => other.focus());
  wait(1);
  expect(order()).toBe("free");
});

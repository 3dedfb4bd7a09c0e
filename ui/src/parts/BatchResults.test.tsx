// @vitest-environment jsdom
import { cleanup, render, screen } from "@testing-library/react";
import { afterEach, beforeAll, expect, it } from "vitest";

import { NoAnswer, Refusal } from "@/api/problems";

import { BatchResults } from "./BatchResults";

beforeAll(() => {
  globalThis.ResizeObserver ??= class {
    observe(): void {}
    unobserve(): void {}
    disconnect(): void {}
  };
});
afterEach(cleanup);

it("calls refused what was refused, and nothing else", () => {
  const problem = { title: "No", status: 409, code: "conflict", detail: "It moves." } as unknown as Refusal["problem"];
  const rows = [
    { id: "1", name: "demo", error: null },
    { id: "2", name: "helm", error: new NoAnswer(null) },
    { id: "3", name: "mast", error: new Refusal(problem) },
    { id: "4", name: "keel", error: new Refusal({ ...problem, status: 503 }) },
  ];
  render(<BatchResults label="Stop" rows={rows} onClose={() => undefined} />);
  expect(screen.getByRole("heading").textContent).toBe("Stop of 4: 1 under way, 1 refused, 2 without an answer");
  expect(screen.getAllByRole("listitem").map((item) => item.textContent)).toEqual([
    "mast, It moves.",
    "helm, no answer, it may have been accepted",
    "keel, no answer, it may have been accepted",
    "demo, under way",
  ]);
});

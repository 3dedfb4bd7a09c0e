import { expect, it } from "vitest";

import { rangeWith } from "./InstanceTable";

const range = { startIndex: 50, endIndex: 52, overscan: 1, count: 100, lanes: 1 };

it("the row with the focus stays in the page wherever one scrolls, in its place", () => {
  expect(rangeWith(3, range)).toEqual([3, 49, 50, 51, 52, 53]);
  expect(rangeWith(90, range)).toEqual([49, 50, 51, 52, 53, 90]);
  expect(rangeWith(51, range)).toEqual([49, 50, 51, 52, 53]);
});

it("no row, or one that is gone, adds nothing", () => {
  expect(rangeWith(-1, range)).toEqual([49, 50, 51, 52, 53]);
  expect(rangeWith(100, range)).toEqual([49, 50, 51, 52, 53]);
});

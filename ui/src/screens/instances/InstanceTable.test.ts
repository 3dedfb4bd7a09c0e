import { expect, it } from "vitest";

import { entriesOf, rangeWith, rowCount } from "./InstanceTable";

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

it("the number of rows counts the groups, as the number of each row does", () => {
  const lines = [{ id: "a", group: "needs" }, { id: "b", group: "settled" }] as const;
  const entries = entriesOf(lines, { settled: 9 });
  expect(rowCount(entries, 2, 10)).toBe(1 + 2 + 10);
  // More are shown than counted: some have just ended.
  expect(rowCount(entries, 2, 1)).toBe(1 + 2 + 2);
});

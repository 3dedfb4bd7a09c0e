// @vitest-environment jsdom
import { cleanup, fireEvent, render, screen } from "@testing-library/react";
import { afterEach, expect, it } from "vitest";

import { DataTable, type TableColumn } from "./DataTable";

interface Life {
  name: string;
}
const COLUMNS: TableColumn<Life>[] = [{ id: "name", title: "Name", width: "1fr", head: true, by: (life) => life.name, cell: (life) => life.name }];
const LIVES = [{ name: "b" }, { name: "a" }];
const show = (partial: boolean) => render(<DataTable label="Lives" rows={LIVES} columns={COLUMNS} keyOf={(life) => life.name} partial={partial} />);
const names = (): (string | null)[] => screen.getAllByRole("rowheader").map((cell) => cell.textContent);
const note = (): string | null => screen.queryByRole("status")?.textContent ?? null;
afterEach(cleanup);

it("what sorts a part of the rows says so", () => {
  show(true);
  expect(note()).toBeNull();
  fireEvent.click(screen.getByRole("button", { name: "Name" }));
  expect(names()).toEqual(["a", "b"]);
  expect(note()).toBe("Sorted by name: only the 2 that are loaded, and there are more.");
});

it("what sorts all of them does not", () => {
  show(false);
  fireEvent.click(screen.getByRole("button", { name: "Name" }));
  expect(names()).toEqual(["a", "b"]);
  expect(note()).toBeNull();
});

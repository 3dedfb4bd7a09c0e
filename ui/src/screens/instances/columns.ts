/** Which columns there are, which are shown, and how wide. Chosen by the person, narrowed by the width of the page. */

import { create } from "zustand";

import { remember } from "@/lib/ui";

import type { Sort } from "./filters";

export const COLUMNS = ["health", "blueprint", "where", "created", "changed"] as const;
export type Column = (typeof COLUMNS)[number];

interface ColumnLook {
  title: string;
  width: string;
  className: string;
  /** Below this width of the page it is left to the detail screen. */
  from: number;
}

export const COLUMN_LOOKS: Record<Column & Sort, ColumnLook> = {
  health: { title: "Health", width: "9.6rem", className: "c-health", from: 0 },
  blueprint: { title: "Blueprint", width: "8.4rem", className: "c-what", from: 1240 },
  where: { title: "Where", width: "10.4rem", className: "c-where", from: 1060 },
  created: { title: "Age", width: "3.6rem", className: "num c-age", from: 1240 },
  changed: { title: "Changed", width: "7.4rem", className: "c-last", from: 1360 },
};

const KEY = "hidden-columns";

function recall(): Set<Column> {
  try {
    const kept = (localStorage.getItem(`berth.${KEY}`) ?? "").split(",");
    return new Set(COLUMNS.filter((column) => kept.includes(column)));
  } catch {
    return new Set();
  }
}

export const useHiddenColumns = create<{ hidden: ReadonlySet<Column>; toggle: (column: Column) => void }>((set) => ({
  hidden: recall(),
  toggle: (column) =>
    set(({ hidden }) => {
      const next = new Set(hidden);
      if (!next.delete(column)) next.add(column);
      remember(KEY, [...next].join(","));
      return { hidden: next };
    }),
}));

/** On a phone everything is in the block; between, what has room. */
export function shownColumns(hidden: ReadonlySet<Column>, width: number): Column[] {
  return COLUMNS.filter((column) => !hidden.has(column) && (width <= 860 || width > COLUMN_LOOKS[column].from));
}

export function gridOf(columns: readonly Column[], width: number): string {
  const action = width > 1060 ? "10.8rem" : "7.6rem";
  return ["3rem", "11.4rem", "minmax(0, 1fr)", ...columns.map((column) => COLUMN_LOOKS[column].width), action].join(" ");
}

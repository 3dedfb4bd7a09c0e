/** Views that were given a name: what the address says, kept in this browser. */

import { create } from "zustand";

import { recall, remember } from "@/lib/ui";

export interface SavedView {
  name: string;
  /** The query of the address. */
  search: string;
}

const KEY = "views";
const MOST = 30;

function isView(value: unknown): value is SavedView {
  return typeof value === "object" && value !== null && "name" in value && typeof value.name === "string" && "search" in value && typeof value.search === "string";
}

/** What another version or another program left there is not trusted. */
export function viewsOf(text: string | null): SavedView[] {
  try {
    const said: unknown = JSON.parse(text ?? "[]");
    return Array.isArray(said) ? said.filter(isView).slice(0, MOST) : [];
  } catch {
    return [];
  }
}

interface Views {
  views: readonly SavedView[];
  keep: (view: SavedView) => void;
  drop: (name: string) => void;
}

export const useViews = create<Views>((set) => {
  const store = (views: SavedView[]): { views: SavedView[] } => {
    remember(KEY, JSON.stringify(views));
    return { views };
  };
  return {
    views: viewsOf(recall(KEY)),
    keep: (view) => set(({ views }) => store([...views.filter((one) => one.name !== view.name), view].slice(-MOST))),
    drop: (name) => set(({ views }) => store(views.filter((one) => one.name !== name))),
  };
});

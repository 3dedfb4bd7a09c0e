/** Which rows are picked, of those in the list: what a filter hides is let go. With Shift, everything between. */

import { create } from "zustand";

interface Selection {
  picked: ReadonlySet<string>;
  last: string | null;
  order: readonly string[];
  setOrder: (order: readonly string[]) => void;
  toggle: (id: string, reach?: boolean) => void;
  pickAll: (ids: readonly string[]) => void;
  clear: () => void;
}

export const useSelection = create<Selection>((set) => ({
  picked: new Set(),
  last: null,
  order: [],
  setOrder: (order) =>
    set(({ picked }) => {
      if (picked.size === 0) return { order };
      const there = new Set(order);
      const left = [...picked].filter((id) => there.has(id));
      return left.length === picked.size ? { order } : { order, picked: new Set(left) };
    }),
  toggle: (id, reach = false) =>
    set(({ picked, last, order }) => {
      const next = new Set(picked);
      const on = !next.has(id);
      for (const one of reach && last !== null ? between(order, last, id) : [id]) {
        if (on) next.add(one);
        else next.delete(one);
      }
      return { picked: next, last: id };
    }),
  pickAll: (ids) => set({ picked: new Set(ids), last: null }),
  clear: () => set({ picked: new Set(), last: null }),
}));

function between(order: readonly string[], a: string, b: string): readonly string[] {
  const [from, to] = [order.indexOf(a), order.indexOf(b)];
  return from < 0 || to < 0 ? [b] : order.slice(Math.min(from, to), Math.max(from, to) + 1);
}

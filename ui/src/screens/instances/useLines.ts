/** The order of the rows as they change: calculated a few times a second, and held while somebody is at them. */

import { useCallback, useEffect, useReducer, useRef } from "react";

import { serverNow } from "@/lib/clock";
import type { Lifecycle } from "@/lib/lifecycle";
import { held } from "@/live/store";

import { arrange, hold, lastOrderFirst, type Line } from "./arrange";
import type { View } from "./filters";

const EVERY_MS = 200;
/** What comes is stored this often, while much comes. */
const GATHER_MS = 40;
/** Of ten thousand rows the order takes a while: never more than a fifth of the time goes into it. */
const SHARE = 5;

interface Lines {
  lines: readonly Line[];
  moves: number;
  resort: () => void;
}

export function useLines(view: View, table: Lifecycle, busy: boolean): Lines {
  const shown = useRef<{ view: View | null; lines: readonly Line[]; moves: number }>({ view: null, lines: [], moves: 0 });
  const [, redraw] = useReducer((count: number) => count + 1, 0);
  const busyNow = useRef(busy);
  busyNow.current = busy;

  const arrangeNow = useCallback(
    (free: boolean) => {
      const before = shown.current;
      const wanted = arrange(lastOrderFirst(held, before.lines), view, table, serverNow());
      const keep = !free && before.view === view && before.lines.length > 0 && busyNow.current;
      const next = keep ? hold(before.lines, wanted) : { lines: wanted, moves: 0 };
      if (before.view === view && next.moves === before.moves && sameLines(before.lines, next.lines)) return;
      shown.current = { view, ...next };
      redraw();
    },
    [view, table],
  );

  // A new view, or hands off: the true order at once.
  const was = useRef<View | null>(null);
  if (was.current !== view) {
    was.current = view;
    shown.current = { view, lines: arrange(held.values(), view, table, serverNow()), moves: 0 };
  }
  useEffect(() => arrangeNow(!busy), [arrangeNow, busy]);
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    let took = 0;
    const run = (): void => {
      timer = undefined;
      const began = performance.now();
      arrangeNow(false);
      took = performance.now() - began;
    };
    const later = (): void => {
      // The first rows are shown with the answer that brought them, or the page would say for a moment that it is empty.
      if (shown.current.lines.length === 0 && took * SHARE < GATHER_MS) run();
      else timer ??= setTimeout(run, Math.max(EVERY_MS, took * SHARE));
    };
    const stop = held.subscribeAll(later);
    return () => {
      stop();
      clearTimeout(timer);
    };
  }, [arrangeNow]);
  const resort = useCallback(() => arrangeNow(true), [arrangeNow]);
  return { lines: shown.current.lines, moves: shown.current.moves, resort };
}

function sameLines(a: readonly Line[], b: readonly Line[]): boolean {
  return a.length === b.length && a.every((line, index) => line.id === b[index]?.id && line.group === b[index]?.group);
}

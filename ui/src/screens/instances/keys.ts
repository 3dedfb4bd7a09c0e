/** j and k move, x picks, Enter opens (it is a link), the dot opens the row's actions, Escape lets go. */

import { useEffect, useRef } from "react";

import { useUi } from "@/lib/ui";
import { isTyping } from "@/shell/Shortcuts";

import { useSelection } from "./selection";

function rowOf(id: string): HTMLElement | null {
  return document.querySelector<HTMLElement>(`tr[data-id="${CSS.escape(id)}"]`);
}

/** The first time the menu has to be made; afterwards it opens as it does for the keyboard. */
function openMenu(button: HTMLElement | null | undefined): void {
  button?.focus();
  button?.click();
  button?.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowDown", bubbles: true }));
}

export function useRowKeys(ids: readonly string[], cursor: string | null, setCursor: (id: string | null) => void, scrollTo: (id: string) => void): void {
  const wanted = useRef<string | null>(null);
  useEffect(() => {
    const focus = (id: string): void => {
      // Keys may come faster than frames: a row that is no longer wanted must not take the cursor back.
      if (wanted.current === id) rowOf(id)?.querySelector<HTMLElement>("[data-row-link]")?.focus({ preventScroll: true });
    };
    const move = (step: number): void => {
      const at = cursor === null ? -1 : ids.indexOf(cursor);
      const next = ids[Math.min(ids.length - 1, Math.max(0, at + step))];
      if (next === undefined) return;
      wanted.current = next;
      setCursor(next);
      scrollTo(next);
      // The row may have to be made first.
      requestAnimationFrame(() => requestAnimationFrame(() => focus(next)));
    };
    const onKey = (event: KeyboardEvent): void => {
      if (event.metaKey || event.ctrlKey || event.altKey || event.defaultPrevented || isTyping(event.target)) return;
      if (document.querySelector("[role=dialog],[role=alertdialog],[role=menu]")) return;
      if (event.key === "Escape") return useSelection.getState().clear();
      if (!useUi.getState().letters) return;
      if (event.key === "j") move(1);
      else if (event.key === "k") move(-1);
      else if (event.key === "x" && cursor !== null) useSelection.getState().toggle(cursor);
      else if (event.key === "." && cursor !== null) openMenu(rowOf(cursor)?.querySelector<HTMLElement>("[data-menu]"));
      else return;
      event.preventDefault();
    };
    window.addEventListener("keydown", onKey);
    return () => window.removeEventListener("keydown", onKey);
  }, [ids, cursor, setCursor, scrollTo]);
}

/** Whether somebody is at the rows just now: under a mouse, the keyboard's focus or a finger they must not move. */

import { type PointerEvent, type RefObject, useEffect, useMemo } from "react";

/** So long after a finger has left one may still aim at what it touched. */
export const TOUCH_STAYS_MS = 1_500;

interface Handlers {
  onPointerEnter: (event: PointerEvent) => void;
  onPointerLeave: () => void;
  onTouchStart: () => void;
  onTouchEnd: () => void;
  onTouchCancel: () => void;
}

export function useBusy(rows: RefObject<HTMLElement | null>, onBusy: (busy: boolean) => void): Handlers {
  const hands = useMemo(() => handsOn(onBusy), [onBusy]);
  useEffect(() => {
    // Heard by the document: a row that is gone says nothing of the focus that went with it.
    const look = (): void => {
      const at = document.activeElement;
      hands.lay({ focus: at !== null && Boolean(rows.current?.contains(at)) && at.matches(":focus-visible") });
    };
    const later = (): void => void setTimeout(look);
    document.addEventListener("focusin", look);
    document.addEventListener("focusout", later);
    return () => {
      document.removeEventListener("focusin", look);
      document.removeEventListener("focusout", later);
      hands.off();
    };
  }, [rows, hands]);
  return hands.handlers;
}

interface Hands {
  handlers: Handlers;
  lay: (change: { focus: boolean }) => void;
  off: () => void;
}

function handsOn(onBusy: (busy: boolean) => void): Hands {
  const at = { mouse: false, focus: false, touch: false };
  let lifted: ReturnType<typeof setTimeout> | undefined;
  const lay = (change: Partial<typeof at>): void => {
    Object.assign(at, change);
    onBusy(at.mouse || at.focus || at.touch);
  };
  const lift = (): void => {
    clearTimeout(lifted);
    lifted = setTimeout(() => lay({ touch: false }), TOUCH_STAYS_MS);
  };
  const handlers: Handlers = {
    onPointerEnter: (event) => event.pointerType === "mouse" && lay({ mouse: true }),
    onPointerLeave: () => lay({ mouse: false }),
    onTouchStart: () => {
      clearTimeout(lifted);
      lay({ touch: true });
    },
    onTouchEnd: lift,
    onTouchCancel: lift,
  };
  const off = (): void => {
    clearTimeout(lifted);
    lay({ mouse: false, focus: false, touch: false });
  };
  return { handlers, lay, off };
}

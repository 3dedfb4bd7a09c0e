/** Where the focus goes when the page changes, or when what had it is gone: never to nowhere. Used by the frame. */

import { useEffect, useRef } from "react";

const OPEN_DIALOG = "[role=dialog], [role=alertdialog]";
/** What these lead on to by themselves is where one arrives first. */
const ENTRANCES: ReadonlySet<string> = new Set(["/", "/login"]);
const REMEMBERED = 12;

const main = (): HTMLElement | null => document.getElementById("main");
const isNowhere = (): boolean => document.activeElement === null || document.activeElement === document.body;

/** Another page: its content has the focus, so that the next Tab goes into it. What somebody types in keeps it. */
export function useFocusOnArrival(pathname: string): void {
  const before = useRef(pathname);
  useEffect(() => {
    const from = before.current;
    before.current = pathname;
    if (from === pathname || ENTRANCES.has(from)) return undefined;
    // A palette or dialog that led here gives the focus back first, to what may be gone.
    const timer = setTimeout(arrive);
    return () => clearTimeout(timer);
  }, [pathname]);
}

function arrive(): void {
  const typing = document.activeElement?.matches("input, select, textarea") && main()?.contains(document.activeElement);
  if (typing || document.querySelector(OPEN_DIALOG) !== null) return;
  main()?.focus({ preventScroll: true });
}

export function useFocusKept(): void {
  useEffect(keepFocus, []);
}

interface Place {
  element: HTMLElement;
  /** What it stood in, the nearest first, up to the content as a whole; empty outside of it. */
  around: HTMLElement[];
  /** Where its row leads: a row may be drawn again elsewhere. */
  row: string | null;
}

function placeOf(element: HTMLElement): Place {
  const around: HTMLElement[] = [];
  const content = main();
  if (content?.contains(element)) {
    for (let one = element.parentElement; one !== null && one !== content; one = one.parentElement) around.push(one);
    around.push(content);
  }
  return { element, around, row: linkOf(element.closest("tr"))?.getAttribute("href") ?? null };
}

const linkOf = (row: Element | null): HTMLElement | null => row?.querySelector<HTMLElement>("a.name") ?? null;

/** A button often goes with its click. Its row's link, its group (`data-home`) or what had the focus before takes over. */
export function keepFocus(): () => void {
  let last: Place | null = null;
  let before: HTMLElement[] = [];
  const onFocusIn = ({ target }: FocusEvent): void => {
    if (!(target instanceof HTMLElement)) return;
    last = placeOf(target);
    before = [target, ...before.filter((one) => one !== target && one.isConnected)].slice(0, REMEMBERED);
  };
  const onFocusOut = ({ target }: FocusEvent): void => {
    // Left on purpose, by a click on nothing: it is not missed when it goes later.
    setTimeout(() => {
      if (last?.element === target && last.element.isConnected && isNowhere()) last = null;
    });
  };
  const observer = new MutationObserver((records) => {
    if (last === null || !isNowhere() || !wasTaken(last.element, records)) return;
    const lost = last;
    last = null;
    // Dialogs and menus that close give the focus back by themselves, a moment later.
    setTimeout(() => isNowhere() && takeOver(lost, before));
  });
  document.addEventListener("focusin", onFocusIn);
  document.addEventListener("focusout", onFocusOut);
  observer.observe(document.body, { childList: true, subtree: true });
  return () => {
    document.removeEventListener("focusin", onFocusIn);
    document.removeEventListener("focusout", onFocusOut);
    observer.disconnect();
  };
}

/** Gone, or only put elsewhere, as a row that is sorted: a browser takes the focus from both. */
function wasTaken(element: HTMLElement, records: readonly MutationRecord[]): boolean {
  return !element.isConnected || records.some((record) => [...record.removedNodes].some((node) => node.contains(element)));
}

function takeOver(lost: Place, before: readonly HTMLElement[]): void {
  for (const heir of heirsOf(lost, before)) {
    heir.focus({ preventScroll: true });
    if (document.activeElement === heir) return;
  }
}

function* heirsOf({ element, around, row }: Place, before: readonly HTMLElement[]): Generator<HTMLElement> {
  const content = main();
  if (element.isConnected) yield element;
  if (row !== null) {
    for (const link of content?.querySelectorAll<HTMLElement>("tr a.name") ?? []) if (link.getAttribute("href") === row) yield link;
  }
  for (const one of around) {
    if (!one.isConnected) continue;
    const home = one.matches("[data-home]") ? one : one.matches("tr") ? linkOf(one) : one.querySelector<HTMLElement>("[data-home]");
    if (home !== null) yield home;
  }
  for (const one of before) if (one.isConnected && (around.length === 0 || content?.contains(one))) yield one;
  if (content !== null) yield content;
}

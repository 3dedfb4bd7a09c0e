/** Keys that work everywhere, and the overlays that they open. No single key destroys anything. */

import { lazy, Suspense, useEffect } from "react";
import { useLocation } from "wouter";

import { useLack } from "@/lib/me";
import { useQuestion } from "@/lib/question";
import { say } from "@/lib/toasts";
import { useUi } from "@/lib/ui";
// Not with the others: dialogs remember from their first loading on where the focus was, to give it back.
import { Asking } from "@/parts/Asking";

const Palette = lazy(() => import("./Palette"));
const Help = lazy(() => import("./Help"));
const CreateDialog = lazy(() => import("@/screens/create/CreateDialog"));

const PLACES: Record<string, string> = {
  i: "/instances",
  o: "/operations",
  d: "/deployments",
  h: "/history",
  m: "/hosts",
  s: "/statistics",
};
const CHORD_MS = 1200;

export function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName)) && target.getAttribute("type") !== "checkbox";
}

export function Shortcuts() {
  const { palette, help, creating } = useUi();
  const asking = useQuestion((state) => state.asked !== null);
  useKeys();
  return (
    <Suspense fallback={null}>
      {palette && <Palette />}
      {help && <Help />}
      {creating && <CreateDialog />}
      {asking && <Asking />}
    </Suspense>
  );
}

function useKeys(): void {
  const [, navigate] = useLocation();
  const refused = useLack("operate");
  useEffect(() => {
    let wentAt = -Infinity;
    const onKey = (event: KeyboardEvent): void => {
      const ui = useUi.getState();
      if ((event.metaKey || event.ctrlKey) && event.key.toLowerCase() === "k") {
        event.preventDefault();
        ui.openPalette();
        return;
      }
      const plain = !event.metaKey && !event.ctrlKey && !event.altKey;
      if (!plain || !ui.letters || isTyping(event.target) || ui.palette || ui.help || ui.creating || event.defaultPrevented) return;
      if (document.querySelector("[role=dialog],[role=alertdialog],[role=menu]")) return;
      if (event.timeStamp - wentAt < CHORD_MS && PLACES[event.key]) {
        navigate(PLACES[event.key] as string);
        wentAt = -Infinity;
      } else if (event.key === "g") wentAt = event.timeStamp;
      else if (event.key === "?") ui.openHelp();
      else if (event.key === "c" && refused !== null) say({ id: "new-instance", tone: "refused", title: "Nothing can be created", detail: `${refused}.` });
      else if (event.key === "c") ui.openCreate();
      else if (event.key === "/") {
        const field = document.querySelector<HTMLInputElement>("[data-search]");
        if (field === null) return;
        event.preventDefault();
        field.focus();
        field.select();
      }
    };
    window.addEventListener("keydown", onKey);
    return () => window.removeEventListener("keydown", onKey);
  }, [navigate, refused]);
}

/** What the person chose about the page itself, and which overlay is open. */

import { create } from "zustand";

export type Theme = "system" | "light" | "dark";
type Density = "normal" | "compact";

interface Ui {
  theme: Theme;
  density: Density;
  /** Whether single letters are shortcuts. */
  letters: boolean;
  palette: boolean;
  help: boolean;
  creating: boolean;
  setTheme(theme: Theme): void;
  setDensity(density: Density): void;
  setLetters(letters: boolean): void;
  openPalette(): void;
  openHelp(): void;
  openCreate(): void;
  close(): void;
}

export function recall(key: string): string | null {
  try {
    return localStorage.getItem(`berth.${key}`);
  } catch {
    return null;
  }
}

export function remember(key: string, value: string): void {
  try {
    localStorage.setItem(`berth.${key}`, value);
  } catch {
    // Not kept: the choice holds until the page is left.
  }
}

function firstTheme(): Theme {
  const kept = recall("theme");
  return kept === "light" || kept === "dark" ? kept : "system";
}

export const useUi = create<Ui>((set) => ({
  theme: firstTheme(),
  density: recall("density") === "compact" ? "compact" : "normal",
  letters: recall("letters") !== "off",
  palette: false,
  help: false,
  creating: false,
  setTheme(theme) {
    remember("theme", theme);
    if (theme === "system") delete document.documentElement.dataset["theme"];
    else document.documentElement.dataset["theme"] = theme;
    set({ theme });
  },
  setDensity(density) {
    remember("density", density);
    document.documentElement.dataset["density"] = density;
    set({ density });
  },
  setLetters(letters) {
    remember("letters", letters ? "on" : "off");
    set({ letters });
  },
  openPalette: () => set({ palette: true }),
  openHelp: () => set({ help: true }),
  openCreate: () => set({ creating: true }),
  close: () => set({ palette: false, help: false, creating: false }),
}));

/** What is on the screen just now, whoever decided it. */
export function shownTheme(theme: Theme): "light" | "dark" {
  if (theme !== "system") return theme;
  return typeof matchMedia === "function" && matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
}

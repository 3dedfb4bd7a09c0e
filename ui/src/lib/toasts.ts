/** Answers to a click that the screen cannot show in place. They stay until read. */

import { create } from "zustand";

export interface Toast {
  id: string;
  tone: "refused" | "unsure" | "done";
  title: string;
  detail: string;
  link?: { href: string; text: string };
}

interface Toasts {
  shown: readonly Toast[];
  say(toast: Toast): void;
  dismiss(id: string): void;
}

const MOST = 4;

export const useToasts = create<Toasts>((set) => ({
  shown: [],
  say: (toast) => set((state) => ({ shown: [...state.shown.filter((one) => one.id !== toast.id), toast].slice(-MOST) })),
  dismiss: (id) => set((state) => ({ shown: state.shown.filter((one) => one.id !== id) })),
}));

export function say(toast: Toast): void {
  useToasts.getState().say(toast);
}

export function unsay(id: string): void {
  useToasts.getState().dismiss(id);
}

/** What a screen reader is told: own actions and failures only, at most one every three seconds. */

import { create } from "zustand";

const EVERY_MS = 3000;

export const useAnnouncement = create<{ text: string }>(() => ({ text: "" }));

let last = 0;
let waiting: ReturnType<typeof setTimeout> | undefined;

export function announce(text: string): void {
  clearTimeout(waiting);
  const pause = Math.max(0, last + EVERY_MS - Date.now());
  waiting = setTimeout(() => {
    last = Date.now();
    useAnnouncement.setState({ text });
  }, pause);
}

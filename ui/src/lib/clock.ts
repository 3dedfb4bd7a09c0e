/**
 * One ticking second for the whole page. Times of the server are compared with the server's now: a browser whose clock
 * is minutes off must not call everything stuck.
 */

import { useSyncExternalStore } from "react";

const listeners = new Set<() => void>();
let now = Date.now();
let timer: ReturnType<typeof setInterval> | undefined;

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  if (timer === undefined) {
    timer = setInterval(() => {
      now = Date.now();
      for (const one of listeners) one();
    }, 1000);
  }
  return () => {
    listeners.delete(listener);
    if (listeners.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  };
}

function snapshot(): number {
  if (timer === undefined) now = Math.floor(Date.now() / 1000) * 1000;
  return now;
}

/** Differences below are answers that took their time, and whole seconds of the header. */
const NOTABLE_MS = 3_000;
/** How far the server's clock is ahead of this one. */
let ahead = 0;

/** What an answer that has just come says of the time, in its Date header. */
export function hearClock(said: string | null): void {
  const difference = Date.parse(said ?? "") - Date.now();
  if (Number.isNaN(difference) || Math.abs(difference - ahead) < NOTABLE_MS) return;
  ahead = Math.abs(difference) < NOTABLE_MS ? 0 : difference;
}

export function serverNow(): number {
  return Date.now() + ahead;
}

/** For what this page has noted itself. */
export function useOwnNow(): number {
  return useSyncExternalStore(subscribe, snapshot);
}

/** For what the server says. */
export function useNow(): number {
  return useOwnNow() + ahead;
}

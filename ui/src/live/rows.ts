/**
 * Rows that are changed in place and told of one by one: a screen of ten thousand listens to what it shows, and a
 * batch of events costs what it touches, not what there is. Used by the store alone; screens use its hooks.
 */

import { useCallback, useSyncExternalStore } from "react";

type Listener = () => void;

export class Rows<T> {
  readonly #rows = new Map<string, T>();
  readonly #listeners = new Map<string, Set<Listener>>();
  readonly #all = new Set<Listener>();
  readonly #touched = new Set<string>();
  #revision = 0;

  /** Rises with every batch that changed something. */
  get revision(): number {
    return this.#revision;
  }

  get size(): number {
    return this.#rows.size;
  }

  get(id: string): T | undefined {
    return this.#rows.get(id);
  }

  values(): IterableIterator<T> {
    return this.#rows.values();
  }

  entries(): IterableIterator<[string, T]> {
    return this.#rows.entries();
  }

  /** Nobody hears of it before `tell`: what comes together is shown together. */
  set(id: string, row: T): void {
    if (this.#rows.get(id) === row) return;
    this.#rows.set(id, row);
    this.#touched.add(id);
  }

  delete(id: string): void {
    if (this.#rows.delete(id)) this.#touched.add(id);
  }

  clear(): void {
    for (const id of [...this.#rows.keys()]) this.delete(id);
  }

  /** Tell those who listen to what was touched since. */
  tell(): void {
    if (this.#touched.size === 0) return;
    const touched = [...this.#touched];
    this.#touched.clear();
    this.#revision += 1;
    for (const id of touched) for (const listener of this.#listeners.get(id) ?? []) listener();
    for (const listener of this.#all) listener();
  }

  /** Whether anybody listens to this row just now. */
  isWatched(id: string): boolean {
    return this.#listeners.has(id);
  }

  subscribe(id: string, listener: Listener): () => void {
    const own = this.#listeners.get(id) ?? new Set();
    this.#listeners.set(id, own.add(listener));
    return () => {
      own.delete(listener);
      if (own.size === 0 && this.#listeners.get(id) === own) this.#listeners.delete(id);
    };
  }

  subscribeAll(listener: Listener): () => void {
    this.#all.add(listener);
    return () => this.#all.delete(listener);
  }
}

export function useRow<T>(rows: Rows<T>, id: string): T | undefined {
  const subscribe = useCallback((listener: Listener) => rows.subscribe(id, listener), [rows, id]);
  return useSyncExternalStore(subscribe, () => rows.get(id));
}

/** For what looks at all rows: draws anew with every batch. */
export function useRevision(rows: Rows<unknown>): number {
  const subscribe = useCallback((listener: Listener) => rows.subscribeAll(listener), [rows]);
  return useSyncExternalStore(subscribe, () => rows.revision);
}

/** Keeps one wire open: resumes at the cursor, notices silence, backs off with jitter, and says how it stands. */

import { type Incoming, type Wire, WireError } from "./transport";

export type LinkState = "connecting" | "live" | "paused" | "refused";

export interface Link {
  state: LinkState;
  /** When something was last heard, in milliseconds of the clock. */
  heardAt: number | null;
  nextTryAt: number | null;
}

export interface FeedHooks {
  onLink(link: Link): void;
  onIncoming(incoming: Incoming): void;
}

/** The server says something at least every 15 s; twice that and a little more is silence. */
const SILENCE_MS = 35_000;
const SAY_EVERY_MS = 1_000;
const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 30_000;

/** Full jitter, so that a thousand pages do not come back in the same second. */
export function pauseBefore(attempt: number, random: () => number = Math.random): number {
  const ceiling = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.max(0, attempt - 1));
  return Math.round(ceiling / 2 + (random() * ceiling) / 2);
}

export class Feed {
  readonly #wire: Wire;
  readonly #hooks: FeedHooks;
  #cursor: string | null;
  #resumed = false;
  #closed = false;
  #attempt = 0;
  #link: Link = { state: "connecting", heardAt: null, nextTryAt: null };
  #line: AbortController | null = null;
  #silence: ReturnType<typeof setTimeout> | undefined;
  #wake: (() => void) | null = null;
  /** Somebody asked for a try at once while the line was still closing. */
  #skipRest = false;

  constructor(wire: Wire, hooks: FeedHooks, cursor: string | null = null) {
    this.#wire = wire;
    this.#hooks = hooks;
    this.#cursor = cursor;
  }

  get cursor(): string | null {
    return this.#cursor;
  }

  /** The line goes on where another one ended; else it began at its own now, and what was before is not told. */
  get resumed(): boolean {
    return this.#resumed;
  }

  /** Runs until closed or refused. */
  async run(): Promise<void> {
    while (!this.#closed) {
      const refused = await this.#connect();
      if (this.#closed) return;
      if (refused) return this.#say({ state: "refused", nextTryAt: null });
      if (!this.#skipRest) await this.#rest();
      this.#skipRest = false;
    }
  }

  /** Do not wait for the next try: the person asked, the tab woke up, or the network came back. */
  retryNow(): void {
    this.#attempt = 0;
    this.#wake?.();
  }

  /** Drop a line that may be dead and dial again at the cursor. */
  redial(): void {
    this.#skipRest = true;
    this.#line?.abort();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#silence);
    this.#line?.abort();
    this.#wake?.();
  }

  async #connect(): Promise<boolean> {
    this.#line = new AbortController();
    this.#resumed = this.#cursor !== null;
    this.#watch();
    try {
      await this.#wire.listen(this.#cursor, (incoming) => this.#take(incoming), this.#line.signal);
      return false;
    } catch (error) {
      return error instanceof WireError && error.refused;
    } finally {
      clearTimeout(this.#silence);
    }
  }

  #take(incoming: Incoming): void {
    if (this.#closed) return;
    this.#attempt = 0;
    this.#watch();
    this.#cursor = incoming.cursor ?? this.#cursor;
    this.#hear();
    this.#hooks.onIncoming(incoming);
  }

  /** Under a hundred events a second the page is told once in one that the line lives. */
  #hear(): void {
    const now = Date.now();
    const { state, heardAt } = this.#link;
    if (state !== "live" || heardAt === null || now - heardAt >= SAY_EVERY_MS) this.#say({ state: "live", heardAt: now, nextTryAt: null });
  }

  #watch(): void {
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => this.#line?.abort(), SILENCE_MS);
  }

  async #rest(): Promise<void> {
    this.#attempt += 1;
    const pause = pauseBefore(this.#attempt);
    this.#say({ state: "paused", nextTryAt: Date.now() + pause });
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, pause);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#wake = null;
  }

  #say(change: Partial<Link>): void {
    this.#link = { ...this.#link, ...change };
    this.#hooks.onLink(this.#link);
  }
}

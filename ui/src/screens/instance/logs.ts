/** The instance's own output as it comes: the last lines, then each new one, over one long answer. */

import { useEffect, useRef, useState } from "react";

import { asFailure } from "@/api/problems";
import { useSession } from "@/api/session";
import { LogLines } from "@/lib/logWindow";

const MOST_LINES = 2_000;
const TAIL = 200;
const AGAIN_MS = 3_000;
const DRAW_MS = 80;

export interface Log {
  lines: readonly string[];
  /** How many lines came before the ones that are kept. */
  dropped: number;
  state: "opening" | "following" | "waiting";
  error: unknown;
}

interface Reading {
  /** So many of the lines to come were written before. */
  onOpen: (written: number) => void;
  onText: (text: string) => void;
  signal: AbortSignal;
}

async function follow(id: string, { onOpen, onText, signal }: Reading): Promise<void> {
  const response = await fetch(`/api/v1/instances/${id}/logs?tail=${TAIL}&follow=true`, {
    headers: { Authorization: `Bearer ${useSession.getState().token ?? ""}` },
    signal,
  });
  if (!response.ok || response.body === null) throw asFailure(await response.json().catch(() => null), response);
  onOpen(Number(response.headers.get("Berth-Log-Lines") ?? 0));
  const reader = response.body.pipeThrough(new TextDecoderStream() as ReadableWritablePair<string, Uint8Array>).getReader();
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    onText(value);
  }
}

/** `over`: nothing will write any more, and nobody need be asked for it. */
export function useLog(id: string, paused: boolean, over: boolean): Log {
  const [log, setLog] = useState<Log>({ lines: [], dropped: 0, state: "opening", error: null });
  const halted = useRef(paused);
  halted.current = paused;
  useEffect(() => {
    if (over) return undefined;
    const closing = new AbortController();
    const written = new LogLines();
    let pending: string[] = [];
    let skipped = 0;
    const draw = (): void => {
      if (pending.length === 0 || halted.current) return;
      const fresh = pending;
      const left = skipped;
      pending = [];
      skipped = 0;
      setLog((before) => {
        const all = [...before.lines, ...fresh];
        const more = Math.max(0, all.length - MOST_LINES);
        return { ...before, lines: all.slice(more), dropped: before.dropped + left + more };
      });
    };
    const drawing = setInterval(draw, DRAW_MS);
    const take = (text: string): void => {
      pending.push(...written.take(text));
      // While it is paused nothing is drawn, and nothing that could not be drawn is kept.
      const most = Math.max(0, pending.length - MOST_LINES);
      pending.splice(0, most);
      skipped += most;
    };
    const run = async (): Promise<void> => {
      const onOpen = (count: number): void => {
        written.open(count);
        setLog((before) => ({ ...before, state: "following", error: null }));
      };
      while (!closing.signal.aborted) {
        const failure: unknown = await follow(id, { onOpen, onText: take, signal: closing.signal }).catch((error: unknown) => error);
        if (closing.signal.aborted) return;
        setLog((before) => ({ ...before, state: "waiting", error: failure ?? null }));
        await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
      }
    };
    void run();
    return () => {
      closing.abort();
      clearInterval(drawing);
    };
  }, [id, over]);
  return log;
}

/** The tail of the log. It follows while one is at its end, and stays where one reads. */

import { useEffect, useRef, useState } from "react";

import type { Instance } from "@/api/client";
import { tell } from "@/api/problems";
import { Button } from "@/parts/Button";

import { type Log, useLog } from "./logs";

const NEAR_PX = 24;

export function LogTail({ instance, over = false, tall = false }: { instance: Instance; over?: boolean; tall?: boolean }) {
  const [paused, setPaused] = useState(false);
  const log = useLog(instance.id, paused, over);
  const box = useRef<HTMLOListElement>(null);
  const atEnd = useRef(true);
  useEffect(() => {
    if (atEnd.current && !paused) box.current?.scrollTo({ top: box.current.scrollHeight });
  }, [log.lines, paused]);
  return (
    <section className="part" aria-labelledby="log">
      <header>
        <h2 id="log">Log</h2>
        <span className="muted">{over ? "ended with it" : wordsOf(log, paused)}</span>
        {log.lines.length > 0 && (
          <span className="actions">
            <Button size="sm" onClick={() => setPaused(!paused)} aria-pressed={paused}>
              {paused ? "Follow" : "Pause"}
            </Button>
            <Button kind="quiet" size="sm" onClick={() => save(instance.name, log.lines)}>
              Download
            </Button>
          </span>
        )}
      </header>
      {log.lines.length > 0 && (
        <ol
          className="log"
          data-tall={tall ? "" : undefined}
          data-plain=""
          tabIndex={0}
          aria-label="Log tail"
          ref={box}
          onScroll={(event) => {
            const { scrollHeight, scrollTop, clientHeight } = event.currentTarget;
            atEnd.current = scrollHeight - scrollTop - clientHeight < NEAR_PX;
          }}
        >
          {log.lines.map((line, index) => (
            <li key={log.dropped + index} data-level={levelOf(line)}>
              <span aria-hidden="true">{log.dropped + index + 1}</span>
              <span>{line || " "}</span>
            </li>
          ))}
        </ol>
      )}
    </section>
  );
}

function wordsOf(log: Log, paused: boolean): string {
  const count = log.dropped + log.lines.length;
  if (log.error !== null) return `not readable now: ${tell(log.error).detail}`;
  if (paused) return `paused at line ${count}`;
  if (count === 0) return "nothing written yet";
  return log.state === "following" ? `following, line ${count}` : `ended at line ${count}, looking again`;
}

function levelOf(line: string): string | undefined {
  if (/\b(ERROR|FATAL|PANIC|CRITICAL)\b/.test(line)) return "fault";
  return /\b(WARN|WARNING)\b/.test(line) ? "warn" : undefined;
}

function save(name: string, lines: readonly string[]): void {
  const url = URL.createObjectURL(new Blob([lines.join("\n") + "\n"], { type: "text/plain" }));
  const link = document.createElement("a");
  link.href = url;
  link.download = `${name}.log`;
  link.click();
  URL.revokeObjectURL(url);
}

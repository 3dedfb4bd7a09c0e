/** What every screen must be able to say: empty, loading, failed, and the same thing as a command. */

import { type ReactNode, useEffect, useState } from "react";

import { tell } from "@/api/problems";
import { clock } from "@/lib/time";
import type { NextPage } from "@/live/pages";

import { Button } from "./Button";
import { Icon } from "./Icon";

/** `page`: nothing else names the screen. */
export function Empty({ title, page = false, children }: { title: string; page?: boolean; children?: ReactNode }) {
  return (
    <div className="empty gutter">
      {page ? <h1>{title}</h1> : <h2>{title}</h2>}
      {children}
    </div>
  );
}

/** A screen whose content is not for whoever is here, and why. */
export function Barred({ what, reason }: { what: string; reason: string }) {
  return (
    <Empty title={`${what} for administrators`}>
      <p className="muted">{reason}.</p>
    </Empty>
  );
}

/** A command to copy: the same as the button above it. */
export function Command({ text }: { text: string }) {
  return (
    <div className="command">
      <code tabIndex={0}>{text}</code>
      <CopyButton text={text} label="Copy the command" />
    </div>
  );
}

/** The clipboard is only there where the page came over TLS or from this machine; elsewhere the old way works. */
async function copied(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const field = document.createElement("textarea");
    field.value = text;
    document.body.append(field);
    field.select();
    const done = document.execCommand("copy");
    field.remove();
    return done;
  }
}

export function CopyButton({ text, label, children }: { text: string | (() => string); label: string; children?: ReactNode }) {
  const [done, setDone] = useState(false);
  const copy = async (): Promise<void> => {
    if (!(await copied(typeof text === "string" ? text : text()))) return;
    setDone(true);
    setTimeout(() => setDone(false), 1600);
  };
  return (
    <Button kind="quiet" size="sm" icon={done ? "check" : "copy"} onClick={() => void copy()} {...(children ? {} : { label })}>
      {children && (done ? "Copied" : children)}
    </Button>
  );
}

/** Bones of the real height, and only when loading takes long enough to be noticed. */
export function Bones({ rows = 8, cols = "3rem 10.4rem minmax(0, 1fr) 9.6rem 9.4rem 10.8rem", label }: { rows?: number; cols?: string; label: string }) {
  const [late, setLate] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => setLate(true), 150);
    return () => clearTimeout(timer);
  }, []);
  const widths = ["w-24", "w-32", "w-20", "w-28", "w-16"];
  return (
    <table className="list" aria-busy="true" data-late={late ? "" : undefined}>
      <caption className="sr">{label}</caption>
      <tbody>
        {Array.from({ length: rows }, (_, row) => (
          <tr key={row} style={{ gridTemplateColumns: cols }}>
            {cols
              .replace(/minmax\([^)]*\)/g, "1fr")
              .split(" ")
              .map((_col, index) => (
                <td key={index}>{late && index > 0 && <span className={`bone ${widths[(row + index) % widths.length] ?? ""}`} />}</td>
              ))}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** The way to the rows that are not shown yet. */
export function More({ next, children }: { next: NextPage | null; children: string }) {
  if (next === null) return null;
  return (
    <div className="foot">
      <Button busy={next.busy} onClick={next.load}>
        {children}
      </Button>
    </div>
  );
}

interface FailedProps {
  what: string;
  error: unknown;
  /** When what is still shown was read. */
  asOf?: number | null;
  onRetry: () => void;
}

/** A read that failed: title, fix, trace, try again; what was there stays, greyed, with its time. */
export function Failed({ what, error, asOf, onRetry }: FailedProps) {
  const { title, detail, help, trace } = tell(error);
  return (
    <div className="banner" data-hue="red" role="alert">
      <Icon name="warn" />
      <span>
        <b>{what}.</b> {detail || title} {help}
        {trace && (
          <>
            {" "}
            Trace <code>{trace}</code>
          </>
        )}
        {asOf ? ` As of ${clock(asOf)} UTC.` : ""}
      </span>
      <Button size="sm" onClick={onRetry}>
        Try now
      </Button>
    </div>
  );
}

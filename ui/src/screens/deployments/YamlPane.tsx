/** The draft as YAML: read with its changed lines marked, or written, with what is wrong said while typing. */

import { useState } from "react";

import type { DeploymentForm } from "@/api/client";
import { Button } from "@/parts/Button";

import { type Draft, same, type YamlLine, yamlText } from "./spec";
import type { Drafting } from "./useDraft";
import { parseSpec } from "./yaml";

interface YamlPaneProps {
  deployment: DeploymentForm;
  drafting: Drafting;
  lines: readonly YamlLine[];
}

/** A text, and the draft that it was written from or last read as. */
interface Written {
  text: string;
  draft: Draft;
  version: number;
  /** Nothing was changed by then: what differs later was somebody else. */
  untouched: boolean;
}

/** The text follows the draft wherever that was changed beside it, or the next keystroke would take the change back. */
function useText({ deployment, drafting, lines }: YamlPaneProps) {
  const [written, setWritten] = useState<Written | null>(null);
  const { base, draft, baseVersion: version, changes } = drafting;
  const now: Written = { text: yamlText(lines), draft, version, untouched: changes.length === 0 };
  const parsed = written && parseSpec(written.text, deployment);
  const moved = written !== null && !same(written.draft, draft);
  // Half a word is not lost because somebody else has saved: once it can be read, both are shown beside each other.
  const theirs = moved && parsed?.error !== null && written.untouched && changes.length === 0;
  if (moved && !theirs) setWritten(now);
  const type = (text: string): void => {
    const { draft: next } = parseSpec(text, deployment);
    if (next === null) return setWritten(written && { ...written, text });
    setWritten({ text, draft: next, version, untouched: !theirs && same(next, base) });
    // The form follows each text that can be read.
    drafting.edit(next, theirs ? { base: written.draft, version: written.version } : undefined);
  };
  return { text: written?.text ?? null, error: parsed?.error ?? null, open: () => setWritten(now), close: () => setWritten(null), type };
}

export function YamlPane({ deployment, drafting, lines }: YamlPaneProps) {
  const { text, error, open, close, type } = useText({ deployment, drafting, lines });
  if (text === null) {
    return (
      <>
        <ol className="yaml" tabIndex={0} aria-label="Specification as YAML">
          {lines.map((line, index) => (
            <Line key={index} line={line} />
          ))}
        </ol>
        <div className="actions py-4">
          <Button size="sm" onClick={open}>
            Edit as text
          </Button>
        </div>
      </>
    );
  }
  return (
    <>
      <textarea
        className="yaml-text"
        aria-label="Specification as YAML"
        aria-invalid={error !== null}
        aria-describedby="yaml-error"
        spellCheck={false}
        autoFocus
        rows={Math.max(12, text.split("\n").length + 1)}
        value={text}
        onChange={(event) => type(event.target.value)}
      />
      <div className="actions py-4">
        <Button size="sm" off={error !== null} onClick={close}>
          Done
        </Button>
        <span id="yaml-error" className="fault-text" role="status">
          {error}
        </span>
        {error !== null && (
          <Button size="sm" kind="quiet" onClick={close}>
            Back to the last readable
          </Button>
        )}
      </div>
    </>
  );
}

function Line({ line }: { line: YamlLine }) {
  return (
    <li data-changed={line.changed ? "" : undefined}>
      <span className="g">{line.changed && "~"}</span>
      <span>
        {"  ".repeat(line.indent)}
        {line.key !== "" && <span className="k">{line.key}:</span>} <span className="v">{line.value}</span>
        {line.note && (
          <span className="c">
            {line.key !== "" && "  "}# {line.note}
          </span>
        )}
      </span>
    </li>
  );
}

/** The draft as YAML: read with its changed lines marked, or written, with what is wrong said while typing. */

import { useState } from "react";

import type { DeploymentForm } from "@/api/client";
import { Button } from "@/parts/Button";

import { type YamlLine, yamlText } from "./spec";
import type { Drafting } from "./useDraft";
import { parseSpec } from "./yaml";

interface YamlPaneProps {
  deployment: DeploymentForm;
  drafting: Drafting;
  lines: readonly YamlLine[];
}

export function YamlPane({ deployment, drafting, lines }: YamlPaneProps) {
  const [text, setText] = useState<string | null>(null);
  const parsed = text === null ? null : parseSpec(text, deployment);
  if (text === null) {
    return (
      <>
        <ol className="yaml" tabIndex={0} aria-label="Specification as YAML">
          {lines.map((line, index) => (
            <Line key={index} line={line} />
          ))}
        </ol>
        <div className="actions py-4">
          <Button size="sm" onClick={() => setText(yamlText(lines))}>
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
        aria-invalid={parsed?.error !== null}
        aria-describedby="yaml-error"
        spellCheck={false}
        autoFocus
        rows={Math.max(12, text.split("\n").length + 1)}
        value={text}
        onChange={(event) => {
          setText(event.target.value);
          const next = parseSpec(event.target.value, deployment);
          // The form follows each text that can be read.
          if (next.draft !== null) drafting.edit(next.draft);
        }}
      />
      <div className="actions py-4">
        <Button size="sm" off={parsed?.error !== null} onClick={() => setText(null)}>
          Done
        </Button>
        <span id="yaml-error" className="fault-text" role="status">
          {parsed?.error}
        </span>
        {parsed?.error && (
          <Button size="sm" kind="quiet" onClick={() => setText(null)}>
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

/** Somebody was faster. The draft is not lost and nothing was applied; only what both changed is a conflict. */

import { textOf } from "@/lib/schema";
import { Button } from "@/parts/Button";

import { same, type ThreeWay, threeWay } from "./spec";
import type { Drafting } from "./useDraft";

interface ConflictProps {
  drafting: Drafting;
  version: number;
  onPlan: () => void;
}

export function Conflict({ drafting, version, onPlan }: ConflictProps) {
  const rows = threeWay(drafting.base, drafting.theirs, drafting.draft);
  const conflicts = rows.filter((row) => row.conflict).length;
  return (
    <section className="conflict gutter" aria-label="Somebody was faster">
      <p role="status">
        <b>Somebody saved version {version} while you were at {drafting.baseVersion}.</b>{" "}
        {conflicts === 0 ? "Your changes and theirs touch different fields." : `${conflicts} ${conflicts === 1 ? "field was" : "fields were"} changed by both.`} Nothing was applied.
      </p>
      <div className="three">
        <Side title={`You started from ${drafting.baseVersion}`} rows={rows} pick={(row) => row.base} />
        <Side title={`Saved as ${version}`} rows={rows} pick={(row) => row.theirs} strong={(row) => !same(row.base, row.theirs)} />
        <div>
          <h3>Your draft</h3>
          {rows.map((row) => (
            <p key={row.path}>
              <span className="muted">{row.path}</span>
              {same(row.base, row.mine) ? (
                <span className="muted">not touched</span>
              ) : (
                <b className={row.conflict ? "fault-text" : undefined}>
                  {textOf(row.mine) || "not set"}
                  {row.conflict && ", conflicts"}
                </b>
              )}
            </p>
          ))}
          <div className="actions mt-2">
            <Button size="sm" kind="primary" onClick={onPlan}>
              Put my draft on {version}
            </Button>
            <Button size="sm" onClick={drafting.discard}>
              Take theirs
            </Button>
          </div>
        </div>
      </div>
    </section>
  );
}

function Side({ title, rows, pick, strong = () => false }: { title: string; rows: readonly ThreeWay[]; pick: (row: ThreeWay) => unknown; strong?: (row: ThreeWay) => boolean }) {
  return (
    <div>
      <h3>{title}</h3>
      {rows.map((row) => (
        <p key={row.path}>
          <span className="muted">{row.path}</span>
          {strong(row) ? <b>{textOf(pick(row)) || "not set"}</b> : <span>{textOf(pick(row)) || "not set"}</span>}
        </p>
      ))}
    </div>
  );
}

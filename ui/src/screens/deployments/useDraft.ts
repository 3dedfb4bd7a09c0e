/** The draft of one deployment: kept in this browser, so that it survives a reload, until applied or discarded. */

import { useCallback, useMemo, useState } from "react";

import type { DeploymentForm } from "@/api/client";

import { type Draft, differences, draftOf, patchOf, rebase, same } from "./spec";

interface Start {
  version: number;
  base: Draft;
}

interface Kept extends Start {
  draft: Draft;
  at: number;
}

const keyOf = (id: string): string => `berth.draft.${id}`;

const isMap = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null;
const isDraft = (value: unknown): boolean => isMap(value) && ["resources", "params", "labels"].every((key) => isMap(value[key]));

/** What another version of this page left there is not trusted. */
function isKept(value: unknown): value is Kept {
  return isMap(value) && typeof value["version"] === "number" && isDraft(value["base"]) && isDraft(value["draft"]);
}

function recall(id: string): Kept | null {
  try {
    const text = localStorage.getItem(keyOf(id));
    const said: unknown = JSON.parse(text ?? "null");
    return isKept(said) ? said : null;
  } catch {
    return null;
  }
}

function keep(id: string, kept: Kept | null): void {
  try {
    if (kept === null) localStorage.removeItem(keyOf(id));
    else localStorage.setItem(keyOf(id), JSON.stringify(kept));
  } catch {
    // Not kept: the draft lives as long as the page.
  }
}

export interface Drafting {
  base: Draft;
  draft: Draft;
  baseVersion: number;
  changes: ReturnType<typeof differences>;
  patch: ReturnType<typeof patchOf>;
  savedAt: number | null;
  /** The server has moved on since the draft began. */
  behind: boolean;
  theirs: Draft;
  /** `from` is what it was written from, where that is no longer what is there. */
  edit: (draft: Draft, from?: Start) => void;
  discard: () => void;
  rebaseOnTheirs: () => void;
}

export function useDraft(deployment: DeploymentForm): Drafting {
  const { id, version } = deployment;
  const theirs = useMemo(() => draftOf(deployment), [deployment]);
  const [kept, setKept] = useState<Kept | null>(() => recall(id));
  const store = useCallback(
    (next: Kept | null) => {
      keep(id, next);
      setKept(next);
    },
    [id],
  );
  const base = kept?.base ?? theirs;
  const draft = kept?.draft ?? theirs;
  const baseVersion = kept?.version ?? version;
  return {
    base,
    draft,
    baseVersion,
    theirs,
    changes: useMemo(() => differences(base, draft), [base, draft]),
    patch: useMemo(() => patchOf(base, draft), [base, draft]),
    savedAt: kept?.at ?? null,
    // A version also moves without the specification: that is no conflict.
    behind: kept !== null && version > kept.version && !same(kept.base, theirs),
    edit: (next, from = { version: baseVersion, base }) => store(same(next, from.base) ? null : { ...from, draft: next, at: Date.now() }),
    discard: () => store(null),
    rebaseOnTheirs: () => {
      const next = rebase(base, draft, theirs);
      store(same(next, theirs) ? null : { version, base: theirs, draft: next, at: Date.now() });
    },
  };
}

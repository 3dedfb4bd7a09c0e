/** From YAML text to a draft, or to what is wrong with it and where. */

import { isAlias, LineCounter, parseDocument, visit } from "yaml";

import type { DeploymentForm } from "@/api/client";

import type { Draft } from "./spec";

export type Parsed = { draft: Draft; error: null } | { draft: null; error: string };

const KNOWN = new Set(["name", "blueprint", "provider", "members", "restart_policy", "resources", "params", "labels"]);
const FIXED = ["name", "blueprint", "provider"] as const;

function wrong(error: string): Parsed {
  return { draft: null, error };
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The value of the text. Throws, in words for whoever typed it. */
function valueOf(text: string): unknown {
  const lines = new LineCounter();
  const document = parseDocument(text, { prettyErrors: true, lineCounter: lines });
  const [broken] = document.errors;
  if (broken) throw new Error(`Line ${broken.linePos?.[0].line ?? "?"}: ${broken.message.split("\n")[0] ?? broken.code}`);
  // A name can stand for itself, or for ever more of others: a specification has no need of either.
  visit(document, {
    Node: (_key, node) => {
      const name = isAlias(node) ? `*${node.source}` : node.anchor === undefined ? null : `&${node.anchor}`;
      // What is named may begin a line below its name.
      const start = name === null ? 0 : Math.max(0, text.lastIndexOf(name, node.range?.[0] ?? 0));
      if (name !== null) throw new Error(`Line ${lines.linePos(start).line}: ${name} is not taken here; write the value in each place, or quote it if it is a text.`);
    },
  });
  return document.toJS();
}

export function parseSpec(text: string, deployment: Pick<DeploymentForm, (typeof FIXED)[number]>): Parsed {
  let value: unknown;
  try {
    value = valueOf(text);
  } catch (error) {
    return wrong(error instanceof RangeError ? "It is nested too deeply." : error instanceof Error ? error.message : String(error));
  }
  if (!isMap(value)) return wrong("A specification is a map of keys.");
  const stranger = Object.keys(value).find((key) => !KNOWN.has(key));
  if (stranger !== undefined) return wrong(`There is no key ${stranger}; there are ${[...KNOWN].join(", ")}.`);
  const moved = FIXED.find((key) => value[key] !== undefined && value[key] !== deployment[key]);
  if (moved !== undefined) return wrong(`${moved} cannot be changed; it is ${deployment[moved]}.`);
  const members = value["members"] ?? 1;
  if (typeof members !== "number" || !Number.isInteger(members) || members < 1) return wrong("members must be a whole number, at least 1.");
  const maps = { resources: value["resources"] ?? {}, params: value["params"] ?? {}, labels: value["labels"] ?? {} };
  for (const [key, map] of Object.entries(maps)) if (!isMap(map)) return wrong(`${key} must be a map of keys.`);
  return { draft: { members, restart_policy: String(value["restart_policy"] ?? "never"), ...(maps as Pick<Draft, "resources" | "params" | "labels">) }, error: null };
}

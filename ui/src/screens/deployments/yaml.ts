/** From YAML text to a draft, or to what is wrong with it and where. */

import { parseDocument } from "yaml";

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

export function parseSpec(text: string, deployment: Pick<DeploymentForm, (typeof FIXED)[number]>): Parsed {
  const document = parseDocument(text, { prettyErrors: true });
  const [broken] = document.errors;
  if (broken) return wrong(`Line ${broken.linePos?.[0].line ?? "?"}: ${broken.message.split("\n")[0] ?? broken.code}`);
  const value: unknown = document.toJS();
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

/** A specification as edited: differences, merge patches, conflicts, and the lines of its YAML. Pure. */

import type { DeploymentForm, DeploymentPatchBody } from "@/api/client";
import { textOf } from "@/lib/schema";

export interface Draft {
  members: number;
  restart_policy: string;
  resources: Record<string, unknown>;
  params: Record<string, unknown>;
  labels: Record<string, unknown>;
}

const MAPS = ["resources", "params", "labels"] as const;
const SCALARS = ["members", "restart_policy"] as const;

function said(values: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== null && value !== undefined));
}

export function draftOf(deployment: DeploymentForm): Draft {
  const { resources, params, labels, restart_policy } = deployment.spec;
  return { members: deployment.members, restart_policy, resources: said(resources), params: said(params), labels: said(labels) };
}

export function same(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

/** Leaves by dotted path, as the plan and the conflict view name them. */
export function leaves(draft: Draft): Map<string, unknown> {
  const found = new Map<string, unknown>(SCALARS.map((key) => [key, draft[key]]));
  for (const map of MAPS) for (const [key, value] of Object.entries(draft[map])) found.set(`${map}.${key}`, value);
  return found;
}

export interface Difference {
  path: string;
  from: unknown;
  to: unknown;
}

export function differences(base: Draft, draft: Draft): Difference[] {
  const [before, after] = [leaves(base), leaves(draft)];
  const paths = [...new Set([...before.keys(), ...after.keys()])];
  return paths.filter((path) => !same(before.get(path), after.get(path))).map((path) => ({ path, from: before.get(path), to: after.get(path) }));
}

/** RFC 7396: what is left out of the draft becomes null. */
export function patchOf(base: Draft, draft: Draft): DeploymentPatchBody {
  const patch: Record<string, unknown> = {};
  for (const { path, from, to } of differences(base, draft)) {
    const [top = "", ...rest] = path.split(".");
    const key = rest.join(".");
    if (key === "") patch[top] = to;
    else patch[top] = { ...(patch[top] as Record<string, unknown> | undefined), [key]: merged(from, to) };
  }
  return patch as DeploymentPatchBody;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A merge patch goes into objects: what they lost must be said there too. */
function merged(from: unknown, to: unknown): unknown {
  if (!isObject(from) || !isObject(to)) return to ?? null;
  const lost = Object.keys(from).filter((key) => to[key] === undefined);
  return { ...Object.fromEntries(lost.map((key) => [key, null])), ...Object.fromEntries(Object.entries(to).map(([key, value]) => [key, merged(from[key], value)])) };
}

/** The draft's own changes, made to what somebody else has saved meanwhile. */
export function rebase(base: Draft, draft: Draft, theirs: Draft): Draft {
  const next = structuredClone(theirs);
  for (const { path, to } of differences(base, draft)) {
    const [top = "", ...rest] = path.split(".");
    const key = rest.join(".");
    if (top === "members" && typeof to === "number") next.members = to;
    else if (top === "restart_policy") next.restart_policy = String(to);
    else if (top === "resources" || top === "params" || top === "labels") {
      if (to === undefined) delete next[top][key];
      else next[top][key] = to;
    }
  }
  return next;
}

export interface ThreeWay {
  path: string;
  base: unknown;
  theirs: unknown;
  mine: unknown;
  conflict: boolean;
}

export function threeWay(base: Draft, theirs: Draft, mine: Draft): ThreeWay[] {
  const [a, b, c] = [leaves(base), leaves(theirs), leaves(mine)];
  return [...new Set([...a.keys(), ...b.keys(), ...c.keys()])]
    .filter((path) => !same(a.get(path), b.get(path)) || !same(a.get(path), c.get(path)))
    .map((path) => {
      const [was, them, me] = [a.get(path), b.get(path), c.get(path)];
      return { path, base: was, theirs: them, mine: me, conflict: !same(was, them) && !same(was, me) && !same(them, me) };
    });
}

export interface YamlLine {
  key: string;
  value: string;
  indent: number;
  changed: boolean;
  note: string | null;
}

/** A scalar as YAML: quoted where it would read as something else. */
export function scalar(value: unknown): string {
  if (typeof value !== "string") return textOf(value) === "" ? "null" : JSON.stringify(value);
  const plain = /^[A-Za-z_/][\w ./:@+-]*$/.test(value) && !/^(true|false|null|yes|no|on|off|~)$/i.test(value) && !value.endsWith(":") && !value.includes(": ") && !value.endsWith(" ");
  return plain ? value : JSON.stringify(value);
}

type Head = Pick<DeploymentForm, "name" | "blueprint" | "provider">;

export function yamlLines(head: Head, base: Draft, draft: Draft): YamlLine[] {
  const before = leaves(base);
  const line = (path: string, key: string, value: unknown, indent: number): YamlLine => {
    const changed = !same(before.get(path), value);
    const was = before.get(path);
    return { key, value: scalar(value), indent, changed, note: changed ? (was === undefined ? "new" : `was ${scalar(was)}`) : null };
  };
  const fixed = (key: keyof Head): YamlLine => ({ key, value: scalar(head[key]), indent: 0, changed: false, note: null });
  const lines = [fixed("name"), fixed("blueprint"), fixed("provider"), line("members", "members", draft.members, 0)];
  for (const map of MAPS) {
    const own = Object.entries(draft[map]);
    const gone = Object.keys(base[map]).filter((key) => draft[map][key] === undefined);
    if (own.length + gone.length === 0) continue;
    lines.push({ key: map, value: own.length === 0 ? "{}" : "", indent: 0, changed: false, note: null });
    lines.push(...own.map(([key, value]) => line(`${map}.${key}`, key, value, 1)));
    lines.push(...gone.map((key): YamlLine => ({ key: "", value: "", indent: 1, changed: true, note: `${key} removed, was ${scalar(base[map][key])}` })));
  }
  lines.push(line("restart_policy", "restart_policy", draft.restart_policy, 0));
  return lines;
}

export function yamlText(lines: readonly YamlLine[]): string {
  return lines
    .filter((line) => line.key !== "")
    .map((line) => `${"  ".repeat(line.indent)}${/^[\w.-]+$/.test(line.key) ? line.key : JSON.stringify(line.key)}:${line.value === "" ? "" : ` ${line.value}`}\n`)
    .join("");
}

/** What is being created, as typed; and the body that it becomes. */

import type { CreateBody } from "@/api/client";
import type { Blueprint, Provider } from "@/lib/catalogue";
import { complaint, fieldsOf, valueOf } from "@/lib/schema";

export interface Draft {
  name: string;
  blueprint: string;
  provider: string;
  members: string;
  params: Record<string, string>;
  cpu: string;
  memory_mb: string;
  disk_gb: string;
  restart_policy: string;
  labels: string;
}

export const EMPTY: Draft = { name: "", blueprint: "", provider: "", members: "1", params: {}, cpu: "", memory_mb: "", disk_gb: "", restart_policy: "never", labels: "" };

const NAME = /^[a-z][a-z0-9-]{0,62}$/;

export function nameComplaint(name: string): string | null {
  if (name === "") return "is needed";
  if (/^(dep|ins|op|run|host)_/.test(name)) return "looks like an id";
  return NAME.test(name) ? null : "1 to 63 of a-z, 0-9 and -, a letter first";
}

export function labelsOf(text: string): Record<string, string> {
  return Object.fromEntries(
    text
      .split(/[\s,]+/)
      .filter((pair) => pair.includes("="))
      .map((pair) => [pair.slice(0, pair.indexOf("=")), pair.slice(pair.indexOf("=") + 1)]),
  );
}

const number = (text: string): number | undefined => (text.trim() === "" ? undefined : Number(text));

export function bodyOf(draft: Draft, blueprint: Blueprint | undefined): CreateBody {
  const fields = fieldsOf(blueprint?.params_schema);
  const params = Object.fromEntries(fields.flatMap((field) => {
    const value = valueOf(field, draft.params[field.name] ?? "");
    return value === undefined ? [] : [[field.name, value]];
  }));
  const resources = Object.fromEntries(Object.entries({ cpu: number(draft.cpu), memory_mb: number(draft.memory_mb), disk_gb: number(draft.disk_gb) }).filter(([, value]) => value !== undefined));
  const labels = labelsOf(draft.labels);
  return {
    name: draft.name,
    blueprint: draft.blueprint,
    provider: draft.provider,
    ...(Number(draft.members) > 1 ? { members: Number(draft.members) } : {}),
    ...(Object.keys(params).length > 0 ? { params } : {}),
    ...(Object.keys(resources).length > 0 ? { resources } : {}),
    ...(Object.keys(labels).length > 0 ? { labels } : {}),
    ...(draft.restart_policy === "never" ? {} : { restart_policy: draft.restart_policy as NonNullable<CreateBody["restart_policy"]> }),
  };
}

/** Complaints by JSON pointer, as the server would name them. */
export function complaintsOf(draft: Draft, blueprint: Blueprint | undefined): Record<string, string> {
  const found: Record<string, string> = {};
  const name = nameComplaint(draft.name);
  if (name !== null) found["/name"] = name;
  for (const field of fieldsOf(blueprint?.params_schema)) {
    const own = complaint(field, draft.params[field.name] ?? "");
    if (own !== null) found[`/params/${field.name}`] = own;
  }
  return found;
}

export function providersFor(blueprint: Blueprint | undefined, providers: readonly Provider[]): Provider[] {
  return providers.filter((provider) => blueprint?.providers.includes(provider.name));
}

/** The same as a command, with nothing secret in it. */
export function commandOf(draft: Draft, blueprint: Blueprint | undefined): string {
  const secret = new Set(fieldsOf(blueprint?.params_schema).filter((field) => field.kind === "secret").map((field) => field.name));
  const sets = Object.entries(draft.params)
    .filter(([, text]) => text !== "")
    .map(([key, text]) => `--set ${key}=${secret.has(key) ? "…" : quoted(text)}`);
  return [
    `berth create ${draft.name || "NAME"} --blueprint ${draft.blueprint} --provider ${draft.provider}`,
    ...sets,
    draft.cpu && `--cpu ${draft.cpu}`,
    draft.memory_mb && `--memory-mb ${draft.memory_mb}`,
    draft.disk_gb && `--disk-gb ${draft.disk_gb}`,
    Number(draft.members) > 1 && `--members ${draft.members}`,
    ...Object.entries(labelsOf(draft.labels)).map(([key, value]) => `-l ${quoted(`${key}=${value}`)}`),
    draft.restart_policy !== "never" && `--restart-policy ${draft.restart_policy}`,
  ]
    .filter(Boolean)
    .join(" ");
}

function quoted(text: string): string {
  return /^[\w./:=@%+-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

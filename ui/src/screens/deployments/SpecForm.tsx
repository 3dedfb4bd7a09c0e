/** The draft as a form. Changed fields are dashed in the accent: it is yours, and nobody has it yet. */

import type { Blueprint } from "@/lib/catalogue";
import { type Field, fieldsOf, textOf, valueOf } from "@/lib/schema";
import { CountField } from "@/parts/CountField";
import { FieldRow, SchemaField } from "@/parts/Fields";
import { labelsOf } from "@/screens/create/draft";

import { type Draft, same } from "./spec";
import type { Drafting } from "./useDraft";

interface SpecFormProps {
  drafting: Drafting;
  blueprint: Blueprint | undefined;
  errors: Record<string, string>;
}

export function SpecForm({ drafting, blueprint, errors }: SpecFormProps) {
  return (
    <form className="form" onSubmit={(event) => event.preventDefault()}>
      <Whole drafting={drafting} blueprint={blueprint} errors={errors} />
      <Resources drafting={drafting} errors={errors} />
      <Params drafting={drafting} blueprint={blueprint} errors={errors} />
      <Labels drafting={drafting} errors={errors} />
    </form>
  );
}

const POLICIES = ["never", "on_failure", "always"];

function Whole({ drafting, blueprint, errors }: SpecFormProps) {
  const { base, draft, edit } = drafting;
  const most = blueprint?.max_members ?? 50;
  return (
    <fieldset>
      <legend>Deployment</legend>
      <FieldRow label="Members" hint={`at most ${most}`} error={errors["/members"] ?? null} was={draft.members === base.members ? null : String(base.members)}>
        {({ id, describedBy }) => (
          <CountField id={id} aria-describedby={describedBy} max={most} value={draft.members} onCount={(members) => edit({ ...draft, members })} />
        )}
      </FieldRow>
      <FieldRow label="Restart policy" hint="when it stops without being asked to" error={errors["/restart_policy"] ?? null} was={draft.restart_policy === base.restart_policy ? null : base.restart_policy} icon="down">
        {({ id, describedBy }) => (
          <select id={id} aria-describedby={describedBy} value={draft.restart_policy} onChange={(event) => edit({ ...draft, restart_policy: event.target.value })}>
            {[...new Set([...POLICIES, draft.restart_policy])].map((policy) => (
              <option key={policy} value={policy}>
                {policy.replace("_", " ")}
              </option>
            ))}
          </select>
        )}
      </FieldRow>
    </fieldset>
  );
}

const RESOURCES: [key: string, label: string, hint: string][] = [
  ["cpu", "CPU", "cores"],
  ["memory_mb", "Memory", "MB"],
  ["disk_gb", "Disk", "GB; can grow, cannot shrink"],
];

function withKey(draft: Draft, map: "resources" | "params", key: string, value: unknown): Draft {
  const next = { ...draft[map] };
  if (value === undefined) delete next[key];
  else next[key] = value;
  return { ...draft, [map]: next };
}

function wasOf(before: unknown, after: unknown): string | null {
  return same(before, after) ? null : textOf(before);
}

function Resources({ drafting, errors }: Omit<SpecFormProps, "blueprint">) {
  const { base, draft, edit } = drafting;
  return (
    <fieldset>
      <legend>Resources, each member</legend>
      {RESOURCES.map(([key, label, hint]) => (
        <FieldRow key={key} label={label} hint={hint} error={errors[`/resources/${key}`] ?? null} was={wasOf(base.resources[key], draft.resources[key])}>
          {({ id, describedBy }) => (
            <input
              id={id}
              aria-describedby={describedBy}
              inputMode="decimal"
              placeholder="the provider's default"
              value={textOf(draft.resources[key])}
              onChange={(event) => edit(withKey(draft, "resources", key, numberOr(event.target.value)))}
            />
          )}
        </FieldRow>
      ))}
    </fieldset>
  );
}

/** Half a number stays as typed: the plan's complaint names it. */
function numberOr(text: string): unknown {
  if (text.trim() === "") return undefined;
  return /^\d+(\.\d+)?$/.test(text) ? Number(text) : text;
}

function Params({ drafting, blueprint, errors }: SpecFormProps) {
  const { base, draft, edit } = drafting;
  const known = fieldsOf(blueprint?.params_schema);
  const names = new Set(known.map((field) => field.name));
  const strange = Object.keys({ ...base.params, ...draft.params }).filter((name) => !names.has(name)).map(unknownField);
  const fields = [...known, ...strange];
  const touched = (field: Field): boolean => draft.params[field.name] !== undefined || base.params[field.name] !== undefined;
  const open = fields.filter((field, index) => field.required || touched(field) || index < 6);
  const rest = fields.filter((field) => !open.includes(field));
  const row = (field: Field) => (
    <SchemaField
      key={field.name}
      field={field}
      locked={blueprint?.immutable.includes(field.name) ?? false}
      text={textOf(draft.params[field.name])}
      error={errors[`/params/${field.name}`]}
      was={wasOf(base.params[field.name], draft.params[field.name])}
      onChange={(text) => edit(withKey(draft, "params", field.name, valueOf(field, text)))}
    />
  );
  if (fields.length === 0) return null;
  return (
    <fieldset>
      <legend>Parameters</legend>
      {open.map(row)}
      {rest.length > 0 && (
        <details>
          <summary>{rest.length} more parameters</summary>
          <div className="form-rows">{rest.map(row)}</div>
        </details>
      )}
    </fieldset>
  );
}

/** A parameter that the blueprint's schema does not describe is still shown, as what it is. */
function unknownField(name: string): Field {
  return { name, title: name, description: "", kind: "json", integer: false, choices: [], fallback: null, required: false, optional: true, minimum: undefined, maximum: undefined, maxLength: undefined, pattern: undefined, disruption: null };
}

function Labels({ drafting, errors }: Omit<SpecFormProps, "blueprint">) {
  const { base, draft, edit } = drafting;
  const text = (labels: Record<string, unknown>): string => Object.entries(labels).map(([key, value]) => `${key}=${textOf(value)}`).join(" ");
  return (
    <fieldset>
      <legend>Labels</legend>
      <FieldRow label="Labels" hint="key=value, separated by spaces; nothing stops for a label" error={errors["/labels"] ?? null} was={same(base.labels, draft.labels) ? null : text(base.labels)}>
        {({ id, describedBy }) => (
          <input
            key={text(draft.labels)}
            id={id}
            aria-describedby={describedBy}
            spellCheck={false}
            defaultValue={text(draft.labels)}
            onBlur={(event) => edit({ ...draft, labels: labelsOf(event.target.value) })}
          />
        )}
      </FieldRow>
    </fieldset>
  );
}

/** Something new, from whatever blueprints the server has. What it complains of is shown at the field it names. */

import { Dialog, DialogBackdrop, DialogPanel, DialogTitle } from "@headlessui/react";
import { useQuery } from "@tanstack/react-query";
import { type FormEvent, useMemo, useRef, useState } from "react";
import { useLocation } from "wouter";

import { freshKey, instancesCreate } from "@/api/client";
import { NoAnswer, Refusal, tell } from "@/api/problems";
import { announce } from "@/lib/announce";
import { type Blueprint, blueprintsQuery, type Provider, providersQuery } from "@/lib/catalogue";
import { fieldsOf } from "@/lib/schema";
import { useUi } from "@/lib/ui";
import { takeOperations, takeRecords } from "@/live/store";
import { Button } from "@/parts/Button";
import { FieldRow, SchemaField } from "@/parts/Fields";
import { Bones, Command, Failed } from "@/parts/States";

import { bodyOf, commandOf, complaintsOf, type Draft, EMPTY, providersFor } from "./draft";

export default function CreateDialog() {
  const close = useUi((ui) => ui.close);
  const blueprints = useQuery(blueprintsQuery);
  const providers = useQuery(providersQuery);
  const error = blueprints.error ?? providers.error;
  return (
    <Dialog open onClose={close} className="overlay">
      <DialogBackdrop className="backdrop" />
      <div className="overlay-frame">
        <DialogPanel className="dialog wide">
          <DialogTitle as="h2">Create instance</DialogTitle>
          {error && <Failed what="What can be created could not be read" error={error} onRetry={() => void Promise.all([blueprints.refetch(), providers.refetch()])} />}
          {blueprints.data && providers.data ? <Form blueprints={blueprints.data} providers={providers.data} /> : !error && <Bones label="Loading blueprints" rows={4} cols="1rem 12rem 1fr" />}
        </DialogPanel>
      </div>
    </Dialog>
  );
}

/** Where the catalogue comes late, the dialog has looked for its first field before there was one. */
function beginHere(field: HTMLInputElement | null): void {
  requestAnimationFrame(() => {
    if (!document.activeElement?.matches("input, select, textarea, button")) field?.focus();
  });
}

function firstDraft(blueprints: readonly Blueprint[], providers: readonly Provider[]): Draft {
  const usable = blueprints.find((one) => providersFor(one, providers).some((provider) => provider.available)) ?? blueprints[0];
  return { ...EMPTY, blueprint: usable?.name ?? "", provider: firstProvider(usable, providers) };
}

function firstProvider(blueprint: Blueprint | undefined, providers: readonly Provider[]): string {
  const fitting = providersFor(blueprint, providers);
  return (fitting.find((one) => one.available) ?? fitting[0])?.name ?? "";
}

function useCreating(blueprint: Blueprint | undefined) {
  const [busy, setBusy] = useState(false);
  const [errors, setErrors] = useState<Record<string, string>>({});
  const [problem, setProblem] = useState<unknown>(null);
  const close = useUi((ui) => ui.close);
  const [, navigate] = useLocation();
  // The same key until the body changes, so that a second try after no answer cannot make a second instance.
  const key = useRef({ body: "", key: "" });
  const create = async (draft: Draft): Promise<void> => {
    const complaints = complaintsOf(draft, blueprint);
    setErrors(complaints);
    setProblem(null);
    if (Object.keys(complaints).length > 0) return;
    const body = bodyOf(draft, blueprint);
    const text = JSON.stringify(body);
    if (key.current.body !== text) key.current = { body: text, key: freshKey() };
    setBusy(true);
    try {
      const { data } = await instancesCreate({ headers: { "Idempotency-Key": key.current.key }, body });
      if (data.instance) takeRecords([data.instance]);
      takeOperations([data.operation]);
      announce(`Create of ${draft.name} accepted`);
      close();
      navigate(`/instances/${draft.name}`);
    } catch (error) {
      setErrors(error instanceof Refusal ? Object.fromEntries((error.problem.errors ?? []).map((one) => [one.pointer, one.detail])) : {});
      setProblem(error);
    }
    setBusy(false);
  };
  return { busy, errors, problem, create };
}

function Form({ blueprints, providers }: { blueprints: readonly Blueprint[]; providers: readonly Provider[] }) {
  const [draft, setDraft] = useState<Draft>(() => firstDraft(blueprints, providers));
  const close = useUi((ui) => ui.close);
  const blueprint = blueprints.find((one) => one.name === draft.blueprint);
  const { busy, errors, problem, create } = useCreating(blueprint);
  const change = (next: Partial<Draft>): void => setDraft((before) => ({ ...before, ...next }));
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    if (!busy) void create(draft);
  };
  return (
    <form className="form" onSubmit={submit} noValidate>
      <div className="form-body">
        <fieldset>
          <FieldRow label="Name" hint="1 to 63 of a-z, 0-9 and -" error={errors["/name"] ?? null}>
            {({ id, describedBy }) => (
              <input ref={beginHere} id={id} aria-describedby={describedBy} data-autofocus="" autoComplete="off" spellCheck={false} value={draft.name} onChange={(event) => change({ name: event.target.value.toLowerCase() })} />
            )}
          </FieldRow>
          <Choice
            label="Blueprint"
            value={draft.blueprint}
            hint={blueprint?.description}
            error={errors["/blueprint"]}
            options={blueprints.map((one) => ({ value: one.name, text: one.title, off: null }))}
            onChange={(name) => {
              const next = blueprints.find((one) => one.name === name);
              const keep = next?.providers.includes(draft.provider);
              change({ blueprint: name, provider: keep ? draft.provider : firstProvider(next, providers), params: {}, members: "1" });
            }}
          />
          <ProviderChoice draft={draft} blueprint={blueprint} providers={providers} error={errors["/provider"]} onChange={(provider) => change({ provider })} />
          {(blueprint?.max_members ?? 1) > 1 && <NumberRow label="Members" text={draft.members} hint={`at most ${blueprint?.max_members}`} error={errors["/members"]} onChange={(members) => change({ members })} />}
        </fieldset>
        <Params blueprint={blueprint} draft={draft} errors={errors} onChange={(params) => change({ params })} />
        <details>
          <summary>Resources, labels, restarts</summary>
          <fieldset>
            <NumberRow label="CPU" text={draft.cpu} hint="cores; the provider's default when empty" error={errors["/resources/cpu"]} onChange={(cpu) => change({ cpu })} />
            <NumberRow label="Memory" text={draft.memory_mb} hint="MB" error={errors["/resources/memory_mb"]} onChange={(memory_mb) => change({ memory_mb })} />
            <NumberRow label="Disk" text={draft.disk_gb} hint="GB; can grow, cannot shrink" error={errors["/resources/disk_gb"]} onChange={(disk_gb) => change({ disk_gb })} />
            <FieldRow label="Labels" hint="key=value, separated by spaces" error={errors["/labels"] ?? null}>
              {({ id, describedBy }) => <input id={id} aria-describedby={describedBy} spellCheck={false} value={draft.labels} onChange={(event) => change({ labels: event.target.value })} />}
            </FieldRow>
            <Choice label="Restarts" value={draft.restart_policy} hint="when it stops without being asked to" options={["never", "on_failure", "always"].map((value) => ({ value, text: value.replace("_", " "), off: null }))} onChange={(restart_policy) => change({ restart_policy })} />
          </fieldset>
        </details>
      </div>
      <Refused problem={problem} errors={errors} />
      <Command text={commandOf(draft, blueprint)} />
      <div className="actions">
        <Button onClick={close}>Not now</Button>
        <button type="submit" className="btn" data-kind="primary" aria-busy={busy}>
          {busy ? "Asking…" : "Create"}
        </button>
      </div>
    </form>
  );
}

function Refused({ problem, errors }: { problem: unknown; errors: Record<string, string> }) {
  if (problem === null || problem === undefined) return null;
  const { title, detail, help, trace } = tell(problem);
  const atFields = Object.keys(errors).length > 0;
  return (
    <div className="banner" data-hue={problem instanceof NoAnswer ? "amber" : "red"} role="alert">
      <span>
        <b>{problem instanceof NoAnswer ? "No answer yet." : title}</b> {atFields ? "See the fields above." : detail}{" "}
        {problem instanceof NoAnswer ? "Create again asks with the same key, so it cannot happen twice." : help}
        {trace && (
          <>
            {" "}
            Trace <code>{trace}</code>
          </>
        )}
      </span>
    </div>
  );
}

interface ChoiceProps {
  label: string;
  value: string;
  hint?: string | undefined;
  error?: string | null | undefined;
  options: { value: string; text: string; off: string | null }[];
  onChange: (value: string) => void;
}

function Choice({ label, value, hint, error, options, onChange }: ChoiceProps) {
  return (
    <FieldRow label={label} hint={hint} error={error ?? null} icon="down">
      {({ id, describedBy }) => (
        <select id={id} aria-describedby={describedBy} value={value} onChange={(event) => onChange(event.target.value)}>
          {options.map((option) => (
            <option key={option.value} value={option.value} disabled={option.off !== null}>
              {option.text}
              {option.off !== null && `, ${option.off}`}
            </option>
          ))}
        </select>
      )}
    </FieldRow>
  );
}

function ProviderChoice({ draft, blueprint, providers, error, onChange }: { draft: Draft; blueprint: Blueprint | undefined; providers: readonly Provider[]; error?: string | undefined; onChange: (name: string) => void }) {
  const fitting = useMemo(() => providersFor(blueprint, providers), [blueprint, providers]);
  const chosen = fitting.find((one) => one.name === draft.provider);
  return (
    <Choice
      label="Provider"
      value={draft.provider}
      hint={chosen?.available === false ? (chosen.reason ?? "not available") : chosen?.description}
      error={error}
      options={fitting.map((one) => ({ value: one.name, text: one.title, off: one.available ? null : "not available" }))}
      onChange={onChange}
    />
  );
}

function NumberRow({ label, text, hint, error, onChange }: { label: string; text: string; hint: string; error?: string | undefined; onChange: (text: string) => void }) {
  return (
    <FieldRow label={label} hint={hint} error={error ?? null}>
      {({ id, describedBy }) => <input id={id} aria-describedby={describedBy} inputMode="decimal" value={text} onChange={(event) => onChange(event.target.value)} />}
    </FieldRow>
  );
}

const FEW = 6;

/** A blueprint may have thirty parameters; what is needed and the first few stand open. */
function Params({ blueprint, draft, errors, onChange }: { blueprint: Blueprint | undefined; draft: Draft; errors: Record<string, string>; onChange: (params: Record<string, string>) => void }) {
  const fields = fieldsOf(blueprint?.params_schema);
  const open = fields.filter((field, index) => field.required || index < FEW);
  const rest = fields.filter((field) => !open.includes(field));
  const row = (field: (typeof fields)[number]) => (
    <SchemaField key={field.name} field={field} text={draft.params[field.name] ?? ""} error={errors[`/params/${field.name}`]} onChange={(text) => onChange({ ...draft.params, [field.name]: text })} />
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

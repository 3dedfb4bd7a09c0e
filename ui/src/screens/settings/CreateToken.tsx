/** A new token: what it may do, for how long; then the token itself, this once. */

import { Dialog, DialogBackdrop, DialogPanel, DialogTitle } from "@headlessui/react";
import { type FormEvent, useRef, useState } from "react";

import { freshKey, type TokenBody, tokensCreate } from "@/api/client";
import { Refusal, tell } from "@/api/problems";
import { announce } from "@/lib/announce";
import { keys, queryClient } from "@/live/queries";
import { Button } from "@/parts/Button";
import { FieldRow } from "@/parts/Fields";
import { CopyButton } from "@/parts/States";

const ROLES: [role: TokenBody["role"], says: string][] = [
  ["viewer", "sees everything of its project, changes nothing"],
  ["operator", "creates, changes and ends instances"],
  ["service", "confirms what happened outside"],
  ["admin", "everything, in every project"],
];
const DAY = 86_400;
const LIVES: [seconds: number, text: string][] = [
  [DAY, "one day"],
  [7 * DAY, "a week"],
  [30 * DAY, "30 days"],
  [90 * DAY, "90 days"],
  [365 * DAY, "a year"],
];

export function CreateToken({ projects, onClose }: { projects: readonly string[]; onClose: () => void }) {
  const [made, setMade] = useState<string | null>(null);
  return (
    <Dialog open onClose={onClose} className="overlay">
      <DialogBackdrop className="backdrop" />
      <div className="overlay-frame">
        <DialogPanel className="dialog">
          {made === null ? <Form projects={projects} onClose={onClose} onMade={setMade} /> : <Made token={made} onClose={onClose} />}
        </DialogPanel>
      </div>
    </Dialog>
  );
}

function Made({ token, onClose }: { token: string; onClose: () => void }) {
  return (
    <>
      <DialogTitle as="h2">Copy it now</DialogTitle>
      <p>Berth keeps only a fingerprint of it. When this is closed, nobody can show it again.</p>
      <div className="command">
        <code tabIndex={0}>{token}</code>
        <CopyButton text={token} label="Copy the token">
          Copy
        </CopyButton>
      </div>
      <div className="actions">
        <Button onClick={onClose}>I have it</Button>
      </div>
    </>
  );
}

interface FormProps {
  projects: readonly string[];
  onClose: () => void;
  onMade: (token: string) => void;
}

function Form({ projects, onClose, onMade }: FormProps) {
  const [body, setBody] = useState<TokenBody>({ name: "", role: "operator", expires_in_seconds: 30 * DAY, ...(projects[0] === undefined ? {} : { project: projects[0] }) });
  const [problem, setProblem] = useState<unknown>(null);
  const [busy, setBusy] = useState(false);
  const key = useRef({ body: "", key: "" });
  const change = (next: Partial<TokenBody>): void => setBody({ ...body, ...next });
  const wrong = (pointer: string): string | null => (problem instanceof Refusal ? (problem.problem.errors?.find((one) => one.pointer === pointer)?.detail ?? null) : null);
  const submit = async (event: FormEvent): Promise<void> => {
    event.preventDefault();
    if (busy || body.name.trim() === "") return;
    setBusy(true);
    setProblem(null);
    const text = JSON.stringify(body);
    if (key.current.body !== text) key.current = { body: text, key: freshKey() };
    try {
      const { data: answer } = await tokensCreate({ headers: { "Idempotency-Key": key.current.key }, body });
      announce(`Token ${body.name} made`);
      onMade(answer.token);
      void queryClient.invalidateQueries({ queryKey: keys.tokens });
    } catch (error) {
      setProblem(error);
    }
    setBusy(false);
  };
  return (
    <>
      <DialogTitle as="h2">Create token</DialogTitle>
      <form className="form" noValidate onSubmit={(event) => void submit(event)}>
        <div className="form-rows">
          <FieldRow label="Name" hint="which program will use it" error={wrong("/name")}>
            {({ id, describedBy }) => <input id={id} aria-describedby={describedBy} data-autofocus="" autoComplete="off" spellCheck={false} value={body.name} onChange={(event) => change({ name: event.target.value })} />}
          </FieldRow>
          <FieldRow label="Role" hint={ROLES.find(([role]) => role === body.role)?.[1]} error={wrong("/role")} icon="down">
            {({ id, describedBy }) => (
              <select id={id} aria-describedby={describedBy} value={body.role} onChange={(event) => change({ role: event.target.value as TokenBody["role"] })}>
                {ROLES.map(([role]) => (
                  <option key={role}>{role}</option>
                ))}
              </select>
            )}
          </FieldRow>
          {projects.length > 1 && (
            <FieldRow label="Project" error={wrong("/project")} icon="down">
              {({ id, describedBy }) => (
                <select id={id} aria-describedby={describedBy} value={body.project ?? ""} onChange={(event) => change({ project: event.target.value })}>
                  {projects.map((project) => (
                    <option key={project}>{project}</option>
                  ))}
                </select>
              )}
            </FieldRow>
          )}
          <FieldRow label="Good for" error={wrong("/expires_in_seconds")} icon="down">
            {({ id, describedBy }) => (
              <select id={id} aria-describedby={describedBy} value={body.expires_in_seconds} onChange={(event) => change({ expires_in_seconds: Number(event.target.value) })}>
                {LIVES.map(([seconds, text]) => (
                  <option key={seconds} value={seconds}>
                    {text}
                  </option>
                ))}
              </select>
            )}
          </FieldRow>
        </div>
        {problem !== null && (
          <p className="fault-text" role="alert">
            {tell(problem).detail}
          </p>
        )}
        <div className="actions mt-4">
          <Button onClick={onClose}>Not now</Button>
          <button type="submit" className="btn" data-kind="primary" aria-busy={busy || undefined} aria-disabled={body.name.trim() === "" || undefined}>
            Create token
          </button>
        </div>
      </form>
    </>
  );
}

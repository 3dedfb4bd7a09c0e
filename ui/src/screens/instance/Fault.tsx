/** The error: cause in plain words, what is still there, what was cleaned up, what helps, and the way on. */

import { useState } from "react";

import { type Instance, type OperationError, type OperationForm, operationsAbort } from "@/api/client";
import { useNow } from "@/lib/clock";
import { stepPhase } from "@/lib/look";
import { useLack } from "@/lib/me";
import { age, secondsBetween } from "@/lib/time";
import { type Choice, useChoices, useDoing } from "@/parts/Actions";
import { Button, Out } from "@/parts/Button";
import { Icon } from "@/parts/Icon";
import { TraceId, useOperationLabel } from "@/parts/OperationPart";
import { CopyButton } from "@/parts/States";
import { Figures, Seconds } from "@/parts/Time";
import { askOperation } from "@/screens/operations/ways";

/** The first way out that the table offers: it stands here and not in the header. */
export function wayOutOf(choices: readonly Choice[]): Choice | undefined {
  return choices.find((choice) => choice.button && choice.enabled && !choice.ending && !choice.more);
}

export function Fault({ instance, operation }: { instance: Instance; operation: OperationForm | undefined }) {
  const error = operation?.error ?? null;
  const label = useOperationLabel(operation?.kind ?? "");
  const cause = error?.message ?? instance.error_message ?? "The cause is not known";
  const code = error?.code ?? instance.error_code;
  return (
    <section className="fault" aria-labelledby="fault">
      <header>
        <Icon name="warn" />
        <h2 id="fault">
          {operation ? `${label} failed: ` : ""}
          {cause}
        </h2>
        <p>
          {operation && <FailedStep operation={operation} />}
          {code && <code>{code}</code>}
          {operation ? null : instance.error_origin && `, seen by the ${instance.error_origin}`}
        </p>
      </header>
      {error && <Ledger error={error} />}
      <Footer instance={instance} operation={operation} />
    </section>
  );
}

function FailedStep({ operation }: { operation: OperationForm }) {
  const index = operation.steps.findIndex((step) => stepPhase(step.status) === "failed");
  const step = operation.steps[index];
  if (step === undefined) return null;
  const first = step.attempts[0];
  const last = step.attempts.at(-1);
  const seconds = first && last ? secondsBetween(first.started_at, last.ended_at ?? last.started_at) : null;
  const attempts = step.attempts.length;
  return (
    <>
      Step {index + 1}, {step.title.charAt(0).toLowerCase() + step.title.slice(1)}
      {attempts > 0 && `, ${attempts} ${attempts === 1 ? "attempt" : "attempts"}`}
      {seconds !== null && (
        <>
          {" in "}
          <Seconds of={seconds} />
        </>
      )}
      {". "}
    </>
  );
}

function sentence(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function Ledger({ error }: { error: OperationError }) {
  return (
    <div className="ledger">
      <section>
        <h3>
          <Icon name="check" />
          Kept for the retry
        </h3>
        <Items of={error.kept} none="Nothing had to be kept" />
      </section>
      <section>
        <h3>
          <Icon name="bin" />
          Cleaned up
        </h3>
        <Items of={error.cleaned} none="Nothing had to be cleaned up" />
      </section>
      <section>
        <h3>
          <Icon name="sliders" />
          What helps
        </h3>
        <ul>
          <li>
            <Coded text={error.help.text} />
            <small>
              <a href={error.help.url} target="_blank" rel="noreferrer">
                what {error.code} means
              </a>
            </small>
          </li>
          {!error.retryable && <li className="muted">It was not tried again by itself: the provider said no for good.</li>}
        </ul>
      </section>
    </div>
  );
}

/** Backticks are how the server says that a word is code. */
function Coded({ text }: { text: string }) {
  return text.split("`").map((part, index) => (index % 2 === 1 ? <code key={index}>{part}</code> : part));
}

function Items({ of, none }: { of: readonly string[]; none: string }) {
  if (of.length === 0) return <p className="muted">{none}</p>;
  return (
    <ul>
      {of.map((item) => (
        <li key={item}>{sentence(item)}</li>
      ))}
    </ul>
  );
}

function Footer({ instance, operation }: { instance: Instance; operation: OperationForm | undefined }) {
  const choices = useChoices(instance);
  const { run, reason, busy } = useDoing(instance);
  const now = useNow();
  const choice = wayOutOf(choices);
  const listens = operation?.parked_until && new Date(operation.parked_until).getTime() > now ? secondsBetween(now, operation.parked_until) : null;
  const failing = operation?.error?.temporal_url ?? operation?.temporal_url;
  const keeps = (operation?.error?.kept.length ?? 0) > 0;
  return (
    <footer>
      {choice && (
        <Button kind="primary" busy={busy(choice)} reason={busy(choice) ? null : reason(choice)} onClick={() => run(choice)}>
          {choice.label} {keeps && <span className="n">with what is kept</span>}
        </Button>
      )}
      {operation && listens !== null && <Abort operation={operation} />}
      <CopyButton label="Copy report" text={() => report(instance, operation)}>
        Copy report
      </CopyButton>
      <p>
        {listens !== null && choice && (
          <span>
            Workflow listens <Figures of={age(listens)} /> more, {choice.label} works later too.
          </span>
        )}
        <TraceId of={operation} />
        {failing && <Out href={failing}>Failing activity in Temporal</Out>}
      </p>
    </footer>
  );
}

function Abort({ operation }: { operation: OperationForm }) {
  const [busy, setBusy] = useState(false);
  const refused = useLack("operate");
  const abort = async (): Promise<void> => {
    setBusy(true);
    await askOperation(operation, "Abort", operationsAbort);
    setBusy(false);
  };
  return (
    <Button busy={busy} reason={refused} onClick={() => void abort()} title={refused ?? "Close the workflow that listens; nothing else changes"}>
      Abort
    </Button>
  );
}

/** For a ticket or a colleague: everything but secrets, which never reach this page. */
function report(instance: Instance, operation: OperationForm | undefined): string {
  const lines = [
    `${instance.name} (${instance.id}) is ${instance.status}: ${instance.error_message ?? "no message"}`,
    `code ${instance.error_code ?? "none"}, ${instance.blueprint} on ${instance.provider}, version ${instance.version}`,
  ];
  if (operation) {
    lines.push(`operation ${operation.id} ${operation.kind} by ${operation.actor}, ${operation.created_at} to ${operation.finished_at ?? "now"}`);
    for (const step of operation.steps) {
      lines.push(`  ${step.status.padEnd(8)} ${step.title}`);
      for (const attempt of step.attempts) lines.push(`           ${attempt.started_at} to ${attempt.ended_at ?? "now"}${attempt.error ? `: ${attempt.error}` : ""}`);
    }
    lines.push(`kept: ${operation.error?.kept.join("; ") || "nothing"}`, `cleaned up: ${operation.error?.cleaned.join("; ") || "nothing"}`);
    if (operation.trace_id) lines.push(`trace ${operation.trace_id}`);
    if (operation.temporal_url) lines.push(operation.temporal_url);
  }
  return lines.join("\n");
}

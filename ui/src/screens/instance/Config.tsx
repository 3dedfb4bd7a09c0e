/** What was asked for and what is applied, side by side; and everything the server says, as it says it. */

import type { Instance } from "@/api/client";
import { textOf } from "@/lib/schema";
import { LinkButton } from "@/parts/Button";
import { CopyButton } from "@/parts/States";

import { Protection } from "./Protection";
import { SecretsPart } from "./SecretsPart";

export function Config({ instance }: { instance: Instance }) {
  const { params, resources, labels, ...rest } = instance.spec;
  const groups: [string, Record<string, unknown>][] = [
    ["Deployment", rest],
    ["Resources", resources],
    ["Parameters", params],
    ["Labels", labels],
  ];
  return (
    <>
      <section className="part" aria-labelledby="config">
        <header>
          <h2 id="config">Specification</h2>
          <span className="muted">shared by all members of {instance.deployment_name}</span>
          <span className="actions">
            <LinkButton size="sm" href={`/deployments/${instance.deployment_name}`}>
              Edit and plan
            </LinkButton>
          </span>
        </header>
        <PendingChanges instance={instance} />
        <Protection instance={instance} />
        {groups.map(([title, values]) => (
          <Group key={title} title={title} values={values} />
        ))}
      </section>
      <SecretsPart instance={instance} />
    </>
  );
}

function Group({ title, values }: { title: string; values: Record<string, unknown> }) {
  const rows = Object.entries(values).filter(([, value]) => value !== null && textOf(value) !== "" && textOf(value) !== "{}");
  if (rows.length === 0) return null;
  return (
    <div className="config-group">
      <h3>{title}</h3>
      <dl>
        {rows.map(([key, value]) => (
          <div key={key}>
            <dt>{key}</dt>
            <dd>
              <code>{textOf(value)}</code>
            </dd>
          </div>
        ))}
      </dl>
    </div>
  );
}

function PendingChanges({ instance }: { instance: Instance }) {
  if (instance.pending_changes.length === 0) return null;
  return (
    <div className="config-group" data-draft="">
      <h3>Asked for, not applied yet</h3>
      <ul>
        {instance.pending_changes.map((change) => (
          <li key={change.path}>
            <code>{change.path}</code> {textOf(change.from) || "nothing"} → <b>{textOf(change.to) || "nothing"}</b>
          </li>
        ))}
      </ul>
    </div>
  );
}

export function Raw({ instance }: { instance: Instance }) {
  const text = JSON.stringify(instance, null, 2);
  return (
    <section className="part" aria-labelledby="raw">
      <header>
        <h2 id="raw">As the server says it</h2>
        <span className="actions">
          <CopyButton text={text} label="Copy the record">
            Copy
          </CopyButton>
        </span>
      </header>
      <pre className="raw" tabIndex={0} aria-label="Record as JSON">
        {text}
      </pre>
    </section>
  );
}

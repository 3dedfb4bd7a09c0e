/** Secrets leave the server only when asked for, audited, and are forgotten here when the page is left. */

import { useState } from "react";

import { type Instance, instancesReveal, type Secrets } from "@/api/client";
import { tell } from "@/api/problems";
import { useLack } from "@/lib/me";
import { Button } from "@/parts/Button";
import { CopyButton } from "@/parts/States";

export function SecretsPart({ instance }: { instance: Instance }) {
  const [secrets, setSecrets] = useState<Secrets | null>(null);
  const [error, setError] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const refused = useLack("reveal");
  const reveal = async (): Promise<void> => {
    setBusy(true);
    setError(null);
    try {
      setSecrets((await instancesReveal({ path: { key: instance.id } })).data);
    } catch (failure) {
      setError(tell(failure).detail);
    }
    setBusy(false);
  };
  const rows = secrets === null ? [] : [...secrets.items.map(({ name, value }) => [name, value] as const), ...(secrets.connection_uri ? [["connection", secrets.connection_uri] as const] : [])];
  return (
    <section className="part" aria-labelledby="secrets">
      <header>
        <h2 id="secrets">Secrets</h2>
        <span className="muted">{secrets === null ? "showing them is written to the history" : rows.length === 0 ? "it has none" : ""}</span>
        <span className="actions">
          {secrets === null ? (
            <Button size="sm" busy={busy} reason={refused} onClick={() => void reveal()}>
              Show
            </Button>
          ) : (
            <Button size="sm" onClick={() => setSecrets(null)}>
              Hide
            </Button>
          )}
        </span>
      </header>
      {error !== null && (
        <p className="fault-text" role="alert">
          {error}
        </p>
      )}
      {rows.length > 0 && (
        <dl className="secrets">
          {rows.map(([name, value]) => (
            <div key={name}>
              <dt>{name}</dt>
              <dd>
                <code>{value}</code> <CopyButton text={value} label={`Copy ${name}`} />
              </dd>
            </div>
          ))}
        </dl>
      )}
    </section>
  );
}

/** Tokens of programs: each is shown once, when it is made, and can be taken back at any time. */

import { useState } from "react";

import { type Token, tokensList, tokensRevoke } from "@/api/client";
import { tell } from "@/api/problems";
import { isAbsent } from "@/api/trust";
import { announce } from "@/lib/announce";
import { serverNow } from "@/lib/clock";
import { absolute } from "@/lib/time";
import { say } from "@/lib/toasts";
import { usePages } from "@/live/pages";
import { keys, queryClient } from "@/live/queries";
import { Button } from "@/parts/Button";
import { DataTable, type TableColumn } from "@/parts/DataTable";
import { Bones, Failed, More } from "@/parts/States";
import { Ago } from "@/parts/Time";

import { CreateToken } from "./CreateToken";

interface TokensPartProps {
  /** Why this person may not; null if they may. */
  refused: string | null;
  projects: readonly string[];
}

export function TokensPart({ refused, projects }: TokensPartProps) {
  const { rows: tokens, none, loading, error, next, retry } = usePages({ key: keys.tokens, read: (query) => tokensList({ query }), enabled: refused === null });
  const [making, setMaking] = useState(false);
  if (error && isAbsent(error)) return null;
  return (
    <section className="part" aria-labelledby="tokens">
      <header>
        <h2 id="tokens">Tokens</h2>
        <span className="muted">for programs; shown once, kept here only as their beginning</span>
        <span className="actions">
          <Button size="sm" icon="plus" reason={refused} onClick={() => setMaking(true)}>
            Create token
          </Button>
        </span>
      </header>
      {refused !== null && <p className="muted">{refused}.</p>}
      {error && <Failed what="The tokens could not be read" error={error} onRetry={retry} />}
      {loading && refused === null && <Bones label="Loading tokens" rows={2} cols="10rem 8rem 1fr" />}
      {none && <p className="muted">No program has a token yet.</p>}
      {tokens.length > 0 && (
        <div className="bleed">
          <DataTable label="Tokens" rows={tokens} columns={COLUMNS} keyOf={(token) => token.id} partial={next !== null} />
        </div>
      )}
      <More next={next}>Earlier tokens</More>
      {making && <CreateToken projects={projects} onClose={() => setMaking(false)} />}
    </section>
  );
}

const COLUMNS: TableColumn<Token>[] = [
  { id: "name", title: "Name", width: "minmax(9rem, 1fr)", head: true, by: (token) => token.name, cell: (token) => <b>{token.name}</b> },
  { id: "prefix", title: "Begins with", width: "9rem", cell: (token) => <code>{token.prefix}…</code> },
  { id: "role", title: "Role", width: "7rem", by: (token) => token.role, cell: (token) => token.role },
  { id: "project", title: "Project", width: "8rem", wide: true, by: (token) => token.project ?? "", cell: (token) => token.project ?? <span className="muted">all</span> },
  { id: "made", title: "Made by", width: "10rem", wide: true, by: (token) => token.created_at, cell: (token) => <>{token.created_by} <span className="muted"><Ago time={token.created_at} /></span></> },
  { id: "used", title: "Last used", width: "6rem", by: (token) => token.last_used_at ?? "", cell: (token) => (token.last_used_at ? <Ago time={token.last_used_at} /> : <span className="muted">never</span>) },
  { id: "ends", title: "Ends", width: "13rem", by: (token) => token.expires_at ?? "", cell: (token) => <Ends token={token} /> },
  { id: "do", title: "", width: "7rem", cell: (token) => <Revoke token={token} /> },
];

function Ends({ token }: { token: Token }) {
  if (token.expires_at === null) return <span className="muted">never</span>;
  const over = new Date(token.expires_at).getTime() < serverNow();
  return <span className={over ? "fault-text" : undefined}>{over ? "ended " : ""}{absolute(token.expires_at)}</span>;
}

/** Asked twice in place: a program may depend on it. */
function Revoke({ token }: { token: Token }) {
  const [sure, setSure] = useState(false);
  const [busy, setBusy] = useState(false);
  const revoke = async (): Promise<void> => {
    setBusy(true);
    try {
      await tokensRevoke({ path: { token_id: token.id } });
      announce(`Token ${token.name} revoked`);
      await queryClient.invalidateQueries({ queryKey: keys.tokens });
    } catch (error) {
      const { detail, help } = tell(error);
      say({ id: `revoke-${token.id}`, tone: "refused", title: "Revoking was refused", detail: [detail, help].filter(Boolean).join(" ") });
    }
    setBusy(false);
    setSure(false);
  };
  return (
    <div className="do-cell" data-keep="">
      <Button size="sm" kind="danger" busy={busy} onBlur={() => setSure(false)} onClick={() => (sure ? void revoke() : setSure(true))} aria-label={sure ? `Really revoke ${token.name}` : `Revoke ${token.name}`}>
        {sure ? "Really?" : "Revoke"}
      </Button>
    </div>
  );
}

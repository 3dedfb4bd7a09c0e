/** What lies at the providers and belongs to nothing alive. Seen first, removed only when named. */

import { useQuery } from "@tanstack/react-query";
import { useState } from "react";

import { freshKey, type Orphan, orphansList, orphansSweep, PATIENT } from "@/api/client";
import { Refusal, tell } from "@/api/problems";
import { announce } from "@/lib/announce";
import { words } from "@/lib/look";
import { say } from "@/lib/toasts";
import { keys, queryClient } from "@/live/queries";
import { Button } from "@/parts/Button";
import { DataTable, type TableColumn } from "@/parts/DataTable";
import { Bones, Failed } from "@/parts/States";

export function OrphansPart() {
  const { data, error, isFetching, refetch } = useQuery({
    queryKey: keys.orphans,
    queryFn: async () => (await orphansList(PATIENT)).data,
    retry: (count, failure) => !(failure instanceof Refusal) && count < 1,
    staleTime: 60_000,
  });
  return (
    <section className="part" aria-labelledby="orphans">
      <header>
        <h2 id="orphans">Orphans</h2>
        <span className="muted">{data ? (data.items.length === 0 ? "nothing lies about at the providers that were asked" : `${data.items.length} at the providers without a living instance`) : ""}</span>
        <span className="actions">
          <Button size="sm" kind="quiet" busy={isFetching} onClick={() => void refetch()}>
            Look again
          </Button>
        </span>
      </header>
      {error && <Failed what="The providers could not be asked" error={error} onRetry={() => void refetch()} />}
      {isFetching && !data && <Bones label="Asking the providers" rows={2} cols="1rem 14rem 8rem 1fr" />}
      {data && data.items.length > 0 && (
        <div className="bleed">
          <DataTable label="Orphans" rows={data.items} columns={COLUMNS} keyOf={(orphan) => orphan.provider_id} />
        </div>
      )}
      {data && data.unasked.length > 0 && (
        <p className="muted">
          Not asked: {[...new Set(data.unasked.map((place) => place.provider))].join(", ")}, not available now.
        </p>
      )}
    </section>
  );
}

const COLUMNS: TableColumn<Orphan>[] = [
  { id: "provider_id", title: "At the provider", width: "minmax(14rem, 1fr)", head: true, by: (orphan) => orphan.provider_id, cell: (orphan) => <code title={orphan.provider_id}>{orphan.provider_id}</code> },
  { id: "provider", title: "Provider", width: "8rem", by: (orphan) => orphan.provider, cell: (orphan) => orphan.provider },
  { id: "state", title: "State", width: "7rem", by: (orphan) => orphan.state, cell: (orphan) => orphan.state },
  { id: "was", title: "Was", width: "10rem", wide: true, by: (orphan) => orphan.name ?? "", cell: (orphan) => orphan.name ?? <span className="muted">not known</span> },
  { id: "why", title: "Why", width: "minmax(12rem, 2fr)", by: (orphan) => orphan.why, cell: (orphan) => <span title={orphan.reason}><b>{words(orphan.why)}</b>: <span className="muted">{orphan.reason}</span></span> },
  { id: "do", title: "", width: "8rem", cell: (orphan) => <Remove orphan={orphan} /> },
];

/** Taken by a sweep, or once it is named; everything else stays, whoever asks. */
function stays(orphan: Orphan): string | null {
  return orphan.outcome === "remove" || orphan.why === "unknown" ? null : orphan.reason;
}

/** Kept or failed: the server says why. */
function isThere(outcome: string | undefined): boolean {
  return outcome === "kept" || outcome === "failed";
}

function Remove({ orphan }: { orphan: Orphan }) {
  const [sure, setSure] = useState(false);
  const [busy, setBusy] = useState(false);
  const remove = async (): Promise<void> => {
    setBusy(true);
    try {
      const { data } = await orphansSweep({ ...PATIENT, body: { dry_run: false, ids: [orphan.provider_id] }, headers: { "Idempotency-Key": freshKey() } });
      const said = data.items[0];
      announce(`${orphan.provider_id}: ${said?.outcome ?? "gone"}`);
      if (isThere(said?.outcome)) say({ id: `orphan-${orphan.provider_id}`, tone: "refused", title: `${orphan.provider_id} was not removed`, detail: said?.reason ?? "" });
      queryClient.invalidateQueries({ queryKey: keys.orphans }).catch(() => undefined);
    } catch (error) {
      say({ id: `orphan-${orphan.provider_id}`, tone: "refused", title: "It was not removed", detail: tell(error).detail });
    }
    setBusy(false);
    setSure(false);
  };
  return (
    <div className="do-cell" data-keep="">
      <Button size="sm" kind="danger" busy={busy} reason={stays(orphan)} onBlur={() => setSure(false)} onClick={() => (sure ? void remove() : setSure(true))} aria-label={`${sure ? "Really remove" : "Remove"} ${orphan.provider_id}`}>
        {sure ? "Really?" : "Remove"}
      </Button>
    </div>
  );
}

/** What the billing system told us, what became of it, and the way to hear it again. */

import { useEffect, useState } from "react";
import { Link } from "wouter";

import { type Delivery, freshKey, webhooksList, webhooksReplay } from "@/api/client";
import { tell } from "@/api/problems";
import { isAbsent } from "@/api/trust";
import { announce } from "@/lib/announce";
import { lack, useMe } from "@/lib/me";
import { words } from "@/lib/look";
import { useBarred } from "@/lib/places";
import { absolute } from "@/lib/time";
import { say } from "@/lib/toasts";
import { sizeOf, usePages } from "@/live/pages";
import { keys, queryClient, useInterval } from "@/live/queries";
import { Button } from "@/parts/Button";
import { DataTable, type TableColumn } from "@/parts/DataTable";
import { Icon } from "@/parts/Icon";
import { Barred, Bones, Empty, Failed, More } from "@/parts/States";
import { Ago } from "@/parts/Time";

export default function BillingScreen() {
  const refused = useBarred("/billing");
  const every = useInterval(15_000);
  const pages = usePages({ key: keys.deliveries, read: (query) => webhooksList({ query }), refetchInterval: every, enabled: refused === null });
  const { rows, none, loading, error } = pages;
  useEffect(() => {
    document.title = "Billing · Berth";
  }, []);
  return (
    <>
      <div className="head">
        <h1>
          Billing<span className="n">{sizeOf(pages)}</span>
        </h1>
        <span className="muted">deliveries from the billing system, the latest first</span>
      </div>
      {refused && <Barred what="Deliveries of the billing system are" reason={refused} />}
      {error && !isAbsent(error) && <Failed what="The deliveries could not be read" error={error} asOf={pages.readAt} onRetry={pages.retry} />}
      {loading && !refused && <Bones label="Loading deliveries" cols="1rem 12rem 12rem 9rem 1fr" />}
      {(none || (error && isAbsent(error))) && (
        <Empty title="Nothing was delivered yet">
          <p className="muted">Signed deliveries to /api/v1/webhooks/billing appear here with what became of them: applied, superseded by a later one, ignored, or refused.</p>
        </Empty>
      )}
      {rows.length > 0 && <DataTable label="Billing deliveries, the latest first" rows={rows} columns={COLUMNS} keyOf={(row) => row.id} stale={Boolean(error)} partial={pages.next !== null} />}
      <More next={pages.next}>Earlier deliveries</More>
    </>
  );
}

const COLUMNS: TableColumn<Delivery>[] = [
  { id: "type", title: "What it says", width: "minmax(11rem, 1fr)", head: true, by: (row) => row.type, cell: (row) => <b>{words(row.type.replaceAll(".", " "))}</b> },
  { id: "subject", title: "About", width: "12rem", by: (row) => row.subject ?? "", cell: (row) => (row.subject ? <code title={row.subject}>{row.subject}</code> : <span className="muted">nobody</span>) },
  { id: "verdict", title: "Became", width: "8.5rem", by: (row) => row.verdict, cell: (row) => <Verdict of={row.verdict} /> },
  { id: "detail", title: "Why", width: "minmax(10rem, 1.4fr)", cell: (row) => <span title={row.detail ?? undefined}>{row.detail ?? (row.operation_id ? <Link href={`/operations/${row.operation_id}`}>its operation</Link> : "")}</span> },
  { id: "occurred", title: "Happened", width: "13rem", wide: true, by: (row) => row.occurred_at ?? "", cell: (row) => (row.occurred_at ? absolute(row.occurred_at) : <span className="muted">not said</span>) },
  { id: "received", title: "Received", width: "6rem", number: true, by: (row) => row.received_at, cell: (row) => <Ago time={row.received_at} /> },
  { id: "do", title: "", width: "7rem", cell: (row) => <Replay row={row} /> },
];

const MARKS: Record<string, { icon: string; hue: string; voice: string }> = {
  applied: { icon: "check", hue: "emerald", voice: "plain" },
  superseded: { icon: "swap", hue: "zinc", voice: "gone" },
  ignored: { icon: "gone", hue: "zinc", voice: "gone" },
  refused: { icon: "x", hue: "red", voice: "alarm" },
};

function Verdict({ of }: { of: string }) {
  const mark = (Object.hasOwn(MARKS, of) ? MARKS[of] : undefined) ?? { icon: "unknown", hue: "zinc", voice: "plain" };
  return (
    <span className="status" data-hue={mark.hue} data-voice={mark.voice}>
      <Icon name={mark.icon} />
      {words(of)}
    </span>
  );
}

function Replay({ row }: { row: Delivery }) {
  const me = useMe();
  const [busy, setBusy] = useState(false);
  const replay = async (): Promise<void> => {
    setBusy(true);
    try {
      await webhooksReplay({ path: { delivery_id: row.id }, headers: { "Idempotency-Key": freshKey() } });
      announce("The delivery was heard again");
      await queryClient.invalidateQueries({ queryKey: keys.deliveries });
    } catch (error) {
      const { detail, help } = tell(error);
      say({ id: `replay-${row.id}`, tone: "refused", title: "Replay was refused", detail: [detail, help].filter(Boolean).join(" ") });
    }
    setBusy(false);
  };
  return (
    <div className="do-cell" data-keep="">
      <Button size="sm" busy={busy} reason={lack(me, "admin")} onClick={() => void replay()} aria-label={`Replay ${row.type} about ${row.subject ?? "nobody"}`}>
        Replay
      </Button>
    </div>
  );
}

/** Everything that should exist, each with the worst status of its members. */

import { useEffect } from "react";
import { Link } from "wouter";

import { type DeploymentForm, deploymentsList } from "@/api/client";
import { useLifecycle } from "@/lib/lifecycle";
import { useLack } from "@/lib/me";
import { useUi } from "@/lib/ui";
import { sizeOf, usePages } from "@/live/pages";
import { keys, useInterval } from "@/live/queries";
import { Button, LinkButton } from "@/parts/Button";
import { DataTable, type TableColumn } from "@/parts/DataTable";
import { Bones, Command, Empty, Failed, More } from "@/parts/States";
import { Badge } from "@/parts/Status";
import { Ago } from "@/parts/Time";

const COLUMNS: TableColumn<DeploymentForm>[] = [
  { id: "name", title: "Name", width: "minmax(10rem, 1fr)", head: true, by: (one) => one.name, cell: (one) => <Link className="name" href={`/deployments/${one.name}`}>{one.name}</Link> },
  { id: "status", title: "Status", width: "11rem", by: (one) => one.status ?? "", cell: (one) => <DeploymentStatus deployment={one} /> },
  { id: "members", title: "Members", width: "6rem", number: true, by: (one) => one.members, cell: (one) => one.members },
  { id: "blueprint", title: "Blueprint", width: "10rem", by: (one) => one.blueprint, cell: (one) => one.blueprint },
  { id: "provider", title: "Where", width: "12rem", by: (one) => one.provider, cell: (one) => [one.provider, one.host].filter(Boolean).join(" · ") },
  { id: "version", title: "Version", width: "6rem", number: true, wide: true, by: (one) => one.version, cell: (one) => one.version },
  { id: "changed", title: "Changed", width: "6rem", number: true, wide: true, by: (one) => one.updated_at, cell: (one) => <Ago time={one.updated_at} /> },
  { id: "do", title: "", width: "8rem", cell: (one) => <span className="do-cell"><LinkButton size="sm" kind="quiet" href={`/deployments/${one.name}`}>Edit and plan</LinkButton></span> },
];

function DeploymentStatus({ deployment }: { deployment: DeploymentForm }) {
  const table = useLifecycle();
  const status = deployment.status;
  if (!status) return <span className="muted">no members</span>;
  return <Badge status={status} inProgress={table.inProgress.has(status)} />;
}

export default function DeploymentsScreen() {
  const openCreate = useUi((ui) => ui.openCreate);
  const refused = useLack("operate");
  const every = useInterval();
  const pages = usePages({ key: keys.deployments, read: (query) => deploymentsList({ query }), refetchInterval: every });
  const { rows, none, loading, error } = pages;
  useEffect(() => {
    document.title = "Deployments · Berth";
  }, []);
  return (
    <>
      <div className="head">
        <h1>
          Deployments<span className="n">{sizeOf(pages)}</span>
        </h1>
        <span className="grow" />
        <Button kind="primary" icon="plus" reason={refused} onClick={openCreate}>
          Create
        </Button>
      </div>
      {error && <Failed what="The deployments could not be read" error={error} asOf={pages.readAt} onRetry={pages.retry} />}
      {loading && <Bones label="Loading deployments" cols="1rem 14rem 11rem 8rem 1fr" />}
      {none && (
        <Empty title="No deployments yet">
          <p className="muted">A deployment is the named specification; its members are instances.</p>
          <Button kind="primary" reason={refused} onClick={openCreate}>
            Create instance
          </Button>
          <Command text="berth create orders --blueprint postgres --wait" />
        </Empty>
      )}
      {rows.length > 0 && <DataTable label="Deployments" rows={rows} columns={COLUMNS} keyOf={(one) => one.id} stale={Boolean(error)} partial={pages.next !== null} />}
      <More next={pages.next}>More deployments</More>
    </>
  );
}

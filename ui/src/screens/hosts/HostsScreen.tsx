/** Where instances can run: hosts with their heartbeat, providers with the reason when one cannot be used. */

import { useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";

import { providersInventory } from "@/api/client";
import { type Host, hostsQuery, type Provider, providersQuery } from "@/lib/catalogue";
import { useLack } from "@/lib/me";
import { useBarred } from "@/lib/places";
import { absolute, age } from "@/lib/time";
import { textOf } from "@/lib/schema";
import { Button, LinkButton } from "@/parts/Button";
import { DataTable, type TableColumn } from "@/parts/DataTable";
import { Icon } from "@/parts/Icon";
import { Barred, Bones, Empty, Failed } from "@/parts/States";
import { Figures } from "@/parts/Time";

import { HostActions } from "./HostActions";
import { OrphansPart } from "./OrphansPart";

const COLUMNS: TableColumn<Host>[] = [
  { id: "name", title: "Host", width: "minmax(10rem, 1fr)", head: true, by: (host) => host.name, cell: (host) => <b title={host.id}>{host.name}</b> },
  { id: "state", title: "State", width: "10rem", by: (host) => (host.lost ? "lost" : "up"), cell: (host) => <HostState host={host} /> },
  { id: "seen", title: "Last spoke", width: "7rem", number: true, by: (host) => host.unseen_seconds, cell: (host) => <span title={absolute(host.last_seen_at)}><Figures of={age(host.unseen_seconds)} /> ago</span> },
  { id: "instances", title: "Instances", width: "6rem", number: true, by: (host) => host.instances, cell: (host) => host.instances },
  { id: "providers", title: "Providers", width: "12rem", by: (host) => host.providers.join(), cell: (host) => host.providers.join(", ") },
  { id: "since", title: "Known since", width: "13rem", wide: true, by: (host) => host.first_seen_at, cell: (host) => absolute(host.first_seen_at) },
  { id: "do", title: "", width: "12rem", cell: (host) => <HostActions host={host} /> },
];

function HostState({ host }: { host: Host }) {
  if (host.lost) {
    return (
      <span className="health" data-health="unreachable">
        <Icon name="broken" />
        Lost
      </span>
    );
  }
  return (
    <span className="health" data-health={host.cordoned || host.silent ? "degraded" : "healthy"}>
      <Icon name={host.cordoned ? "pause" : host.silent ? "half" : "check"} />
      {host.cordoned ? "Cordoned" : host.silent ? "Silent" : "Speaking"}
    </span>
  );
}

export default function HostsScreen() {
  const refused = useBarred("/hosts");
  const hosts = useQuery({ ...hostsQuery, enabled: refused === null });
  const providers = useQuery(providersQuery);
  useEffect(() => {
    document.title = "Hosts · Berth";
  }, []);
  const rows = hosts.data ?? [];
  return (
    <>
      <div className="head">
        <h1>
          Hosts<span className="n">{hosts.data?.length}</span>
        </h1>
      </div>
      {refused && <Barred what="Hosts and what lies at the providers are" reason={refused} />}
      {hosts.error && <Failed what="The hosts could not be read" error={hosts.error} asOf={hosts.dataUpdatedAt || null} onRetry={() => void hosts.refetch()} />}
      {hosts.isPending && !hosts.error && !refused && <Bones label="Loading hosts" rows={2} cols="1rem 12rem 8rem 9rem 1fr" />}
      {rows.length > 0 && <DataTable label="Hosts" rows={rows} columns={COLUMNS} keyOf={(host) => host.id} stale={Boolean(hosts.error)} />}
      {hosts.data && rows.length === 0 && (
        <Empty title="No host speaks">
          <p className="muted">A host appears when its worker starts. On one machine, `berth up` starts one.</p>
        </Empty>
      )}
      <section className="part" aria-labelledby="providers">
        <header>
          <h2 id="providers">Providers</h2>
        </header>
        {providers.error && <Failed what="The providers could not be read" error={providers.error} onRetry={() => void providers.refetch()} />}
        <ul className="providers">
          {providers.data?.map((provider) => (
            <ProviderItem key={provider.name} provider={provider} />
          ))}
        </ul>
      </section>
      {refused === null && <OrphansPart />}
    </>
  );
}

function ProviderItem({ provider }: { provider: Provider }) {
  const [open, setOpen] = useState(false);
  const refused = useLack("admin");
  return (
    <li>
      <div className="provider">
        <span className="health" data-health={provider.available ? "healthy" : "degraded"}>
          <Icon name={provider.available ? "check" : "half"} />
          <b>{provider.title}</b>
        </span>
        <p className="muted">{provider.description}</p>
        {!provider.available && <p className="late">{provider.reason ?? "Not available, and no reason was given."}</p>}
        <div className="actions">
          <LinkButton size="sm" kind="quiet" href={`/instances?provider=${provider.name}`}>
            Its instances
          </LinkButton>
          <Button size="sm" kind="quiet" off={!provider.available} reason={refused} aria-expanded={open} onClick={() => setOpen(!open)}>
            Inventory
          </Button>
        </div>
      </div>
      {open && <Inventory name={provider.name} />}
    </li>
  );
}

interface InventoryItem {
  provider_id: string;
  instance_id?: string | null;
  state: string;
  owned: boolean;
  endpoint?: string | null;
}

const INVENTORY: TableColumn<InventoryItem>[] = [
  { id: "provider_id", title: "At the provider", width: "minmax(14rem, 1fr)", head: true, by: (item) => item.provider_id, cell: (item) => <code title={item.provider_id}>{item.provider_id}</code> },
  { id: "state", title: "State", width: "8rem", by: (item) => item.state, cell: (item) => item.state },
  { id: "owned", title: "Ours", width: "8rem", by: (item) => String(item.owned), cell: (item) => (item.owned ? "yes" : <span className="late">not signed</span>) },
  { id: "instance", title: "Instance", width: "minmax(10rem, 1fr)", by: (item) => item.instance_id ?? "", cell: (item) => (item.instance_id ? <code>{item.instance_id}</code> : <span className="muted">none</span>) },
  { id: "endpoint", title: "Endpoint", width: "12rem", wide: true, cell: (item) => textOf(item.endpoint) },
];

function Inventory({ name }: { name: string }) {
  const { data, error, isPending, refetch } = useQuery({
    queryKey: ["inventory", name],
    queryFn: async () => (await providersInventory({ path: { name } })).data as unknown as { items: InventoryItem[] },
  });
  if (error) return <Failed what={`${name} could not be asked`} error={error} onRetry={() => void refetch()} />;
  if (isPending) return <Bones label="Asking the provider" rows={3} cols="1rem 14rem 8rem 1fr" />;
  if (data.items.length === 0) return <p className="muted py-4">Nothing of ours is there.</p>;
  return <DataTable label={`Inventory of ${name}`} rows={data.items} columns={INVENTORY} keyOf={(item) => item.provider_id} />;
}

/** What is known of the instance, beside its story. What the server does not send is left out with its label. */

import type { ReactNode } from "react";
import { Link } from "wouter";

import type { Instance } from "@/api/client";
import { useNow } from "@/lib/clock";
import { believed } from "@/lib/health";
import { words } from "@/lib/look";
import { absolute } from "@/lib/time";
import { CopyButton } from "@/parts/States";
import { Ago, Seconds } from "@/parts/Time";
import { Out } from "@/parts/Button";

type Row = readonly [label: string, value: ReactNode];

function present(rows: readonly (Row | null)[]): Row[] {
  return rows.filter((row): row is Row => row !== null && row[1] !== null && row[1] !== "" && row[1] !== false && row[1] !== undefined);
}

export function Facts({ instance }: { instance: Instance }) {
  return (
    <section className="facts" aria-label="Facts">
      <Block title="Instance" rows={identity(instance)} />
      <Block title="State" rows={state(instance)} />
      <Block title="Times" rows={times(instance)} />
      <Block title="Labels" rows={Object.entries(instance.labels).map(([key, value]) => [key, value])} />
    </section>
  );
}

function Block({ title, rows }: { title: string; rows: readonly Row[] }) {
  if (rows.length === 0) return null;
  return (
    <>
      <h2>{title}</h2>
      <dl>
        {rows.map(([label, value]) => (
          <FactRow key={label} label={label} value={value} />
        ))}
      </dl>
    </>
  );
}

function FactRow({ label, value }: { label: string; value: ReactNode }) {
  return (
    <>
      <dt>{label}</dt>
      <dd>{value}</dd>
    </>
  );
}

function identity(instance: Instance): Row[] {
  const { cpu, memory_mb, disk_gb } = instance.resources;
  const size = [instance.instance_type, cpu && `${cpu} CPU`, memory_mb && `${memory_mb} MB`, disk_gb && `${disk_gb} GB disk`].filter(Boolean).join(", ");
  return present([
    ["Endpoint", <Endpoint key="endpoint" url={instance.endpoint} />],
    [
      "Deployment",
      <span key="deployment">
        <Link href={`/deployments/${instance.deployment_name}`}>{instance.deployment_name}</Link>, {instance.spec.members} {instance.spec.members === 1 ? "member" : "members"}
      </span>,
    ],
    ["Size", size],
    ["Database", instance.db_type && [instance.db_type, instance.db_server_id].filter(Boolean).join(" on ")],
    ["Host", instance.host],
    ["Zone", instance.availability_zone],
    ["Customer", instance.customer_id],
    ["Id", <Id key="id" text={instance.id} />],
    ["Provider id", instance.cloud_instance_id && <Id key="cloud" text={instance.cloud_instance_id} />],
  ]);
}

function Endpoint({ url }: { url: string | null | undefined }) {
  if (!url) return <span className="muted">once it is up</span>;
  if (url.startsWith("http")) return <Out href={url}>{url.replace(/^https?:\/\//, "").replace(/\/$/, "")}</Out>;
  return (
    <>
      <code>{url}</code> <CopyButton text={url} label="Copy the endpoint" />
    </>
  );
}

function BelievedHealth({ instance }: { instance: Instance }) {
  return believed(instance, useNow());
}

function Id({ text }: { text: string }) {
  return <code>{text}</code>;
}

function state(instance: Instance): Row[] {
  return present([
    [
      "Health",
      <span key="health">
        <BelievedHealth instance={instance} />
        {instance.health_checked_at ? (
          <>
            , checked <Ago time={instance.health_checked_at} /> ago
          </>
        ) : (
          <span className="muted">, not probed</span>
        )}
      </span>,
    ],
    ["Provisioning", <span key="provisioning" className={instance.provisioning_status === "failed" ? "fault-text" : undefined}>{instance.provisioning_status}</span>],
    ["Deletion", instance.deletion_protection && "protected"],
    ["Billing", words(instance.billing_status).toLowerCase()],
    [
      "At provider",
      instance.provider_state && (
        <span key="provider">
          {instance.provider_state}
          {instance.provider_state_at && (
            <>
              , seen <Ago time={instance.provider_state_at} /> ago
            </>
          )}
        </span>
      ),
    ],
  ]);
}

function times(instance: Instance): Row[] {
  const { launch_duration_seconds: launched, termination_duration_seconds: terminated } = instance;
  return present([
    ["Created", absolute(instance.created_at)],
    ["Changed", `${absolute(instance.changed_at)} by ${instance.changed_by}`],
    ["Launch took", typeof launched === "number" ? <Seconds key="launch" of={launched} /> : null],
    ["End took", typeof terminated === "number" ? <Seconds key="end" of={terminated} /> : null],
  ]);
}

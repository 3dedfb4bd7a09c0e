/** A deployment's specification: form and YAML of one draft, and the plan that says what applying it would do. */

import { useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { Link, useParams } from "wouter";

import { type DeploymentForm, deploymentsGet } from "@/api/client";
import { Refusal } from "@/api/problems";
import { blueprintsQuery } from "@/lib/catalogue";
import { useLifecycle } from "@/lib/lifecycle";
import { keys, useInterval } from "@/live/queries";
import { Button, LinkButton } from "@/parts/Button";
import { Bones, CopyButton, Empty, Failed } from "@/parts/States";
import { Badge } from "@/parts/Status";
import { Ago } from "@/parts/Time";

import { Conflict } from "./Conflict";
import { PlanPane } from "./PlanPane";
import { SpecForm } from "./SpecForm";
import { yamlLines, yamlText } from "./spec";
import { useDraft } from "./useDraft";
import { usePlan } from "./usePlan";
import { YamlPane } from "./YamlPane";

export default function EditorScreen() {
  const { key = "" } = useParams<{ key: string }>();
  const every = useInterval(20_000);
  const { data, error, isPending, refetch, dataUpdatedAt } = useQuery({
    queryKey: keys.deployment(key),
    queryFn: async () => (await deploymentsGet({ path: { key } })).data,
    refetchInterval: every,
  });
  useEffect(() => {
    document.title = `${data?.name ?? key} · Deployments · Berth`;
  }, [data?.name, key]);
  if (data) {
    return (
      <>
        {error && <Failed what={`${data.name} could not be read`} error={error} asOf={dataUpdatedAt || null} onRetry={() => void refetch()} />}
        <Editor key={data.id} deployment={data} reread={async () => void (await refetch())} />
      </>
    );
  }
  if (isPending) return <Bones label={`Loading ${key}`} rows={6} cols="12rem 12rem 1fr" />;
  if (error instanceof Refusal && error.problem.status === 404) {
    return (
      <Empty page title={`There is no deployment ${key}`}>
        <p className="muted">It may have ended; History knows.</p>
        <div className="actions">
          <LinkButton href="/deployments">Deployments</LinkButton>
          <LinkButton href={`/history?q=${encodeURIComponent(key)}`}>History</LinkButton>
        </div>
      </Empty>
    );
  }
  return <Failed what={`${key} could not be read`} error={error} onRetry={() => void refetch()} />;
}

type Pane = "form" | "yaml" | "plan";
const PANES: Record<Pane, string> = { form: "Form", yaml: "YAML", plan: "Plan" };

function Editor({ deployment, reread }: { deployment: DeploymentForm; reread: () => Promise<void> }) {
  const { data: blueprints = [] } = useQuery(blueprintsQuery);
  const blueprint = blueprints.find((one) => one.name === deployment.blueprint);
  const drafting = useDraft(deployment);
  const planning = usePlan(deployment, drafting, reread);
  const [pane, setPane] = useState<Pane>("form");
  const lines = yamlLines(deployment, drafting.base, drafting.draft);
  const { changes } = drafting;
  return (
    <>
      <Header deployment={deployment} savedAt={changes.length > 0 ? drafting.savedAt : null} onDiscard={drafting.discard} />
      {drafting.behind && <Conflict drafting={drafting} version={deployment.version} onPlan={planning.planOn} />}
      <div className="panes" role="radiogroup" aria-label="Pane">
        {(Object.keys(PANES) as Pane[]).map((one) => (
          <label key={one}>
            <input type="radio" name="pane" checked={pane === one} onChange={() => setPane(one)} />
            {PANES[one]}
          </label>
        ))}
      </div>
      <div className="plan-grid" data-pane={pane}>
        <section aria-labelledby="form" data-of="form">
          <header>
            <h2 id="form">Form</h2>
            <span className="muted">{changes.length === 0 ? "no changes" : `${changes.length} ${changes.length === 1 ? "change" : "changes"}`}</span>
          </header>
          <SpecForm drafting={drafting} blueprint={blueprint} errors={planning.errors} />
        </section>
        <section aria-labelledby="yaml" data-of="yaml">
          <header>
            <h2 id="yaml">YAML</h2>
            <CopyButton text={() => yamlText(lines)} label="Copy the YAML">
              Copy
            </CopyButton>
          </header>
          <YamlPane deployment={deployment} drafting={drafting} lines={lines} />
        </section>
        <section className="plan" aria-labelledby="plan" data-of="plan">
          <PlanPane planning={planning} drafting={drafting} version={deployment.version} members={new Set(deployment.instances.map((one) => one.name))} />
        </section>
      </div>
    </>
  );
}

function Header({ deployment, savedAt, onDiscard }: { deployment: DeploymentForm; savedAt: number | null; onDiscard: () => void }) {
  const table = useLifecycle();
  return (
    <>
      <p className="crumb">
        <Link href="/deployments">Deployments</Link> / {deployment.name}
      </p>
      <div className="title">
        <h1>{deployment.name}</h1>
        {deployment.status && <Badge status={deployment.status} inProgress={table.inProgress.has(deployment.status)} />}
        <span className="grow" />
        {savedAt !== null && (
          <>
            <span className="muted">
              Draft kept in this browser, <Ago time={savedAt} /> ago
            </span>
            <div className="actions">
              <Button kind="quiet" onClick={onDiscard}>
                Discard draft
              </Button>
            </div>
          </>
        )}
        <p className="facts-line">
          {deployment.blueprint} on {deployment.provider}, {deployment.members} {deployment.members === 1 ? "member" : "members"}:{" "}
          {deployment.instances.map((member, index) => (
            <span key={member.id}>
              {index > 0 && ", "}
              <Link href={`/instances/${member.name}`}>{member.name}</Link>
            </span>
          ))}
          , version {deployment.version}
        </p>
      </div>
    </>
  );
}

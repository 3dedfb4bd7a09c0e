/** One instance. While it moves: is this normal? When it failed: what is still there, and what helps. */

import { Tab, TabGroup, TabList, TabPanel, TabPanels } from "@headlessui/react";
import { useQuery } from "@tanstack/react-query";
import { type ReactNode, useEffect } from "react";
import { Link, useParams, useSearchParams } from "wouter";

import { type Instance, type OperationForm, operationsList } from "@/api/client";
import { Refusal } from "@/api/problems";
import { keys, readInstance, readOperation, useInterval, useStepInterval } from "@/live/queries";
import { idOf, takeOperations, useHeld, useOperation } from "@/live/store";
import type { Held } from "@/live/merge";
import { useNow } from "@/lib/clock";
import { ActionButtons, useChoices } from "@/parts/Actions";
import { LinkButton } from "@/parts/Button";
import { HealthLine } from "@/parts/Health";
import { Notices } from "@/parts/Notices";
import { OperationPart } from "@/parts/OperationPart";
import { Bones, Empty, Failed } from "@/parts/States";
import { InstanceStatus, lateness, Stuck } from "@/parts/Status";
import { roleOf, whatOf, whereOf } from "@/screens/instances/Cells";

import { Config, Raw } from "./Config";
import { EventsPart } from "./EventsPart";
import { Facts } from "./Facts";
import { Fault, wayOutOf } from "./Fault";
import { LogTail } from "./LogTail";
import { OperationsTab } from "./OperationsTab";

export default function InstanceScreen() {
  const { key = "" } = useParams<{ key: string }>();
  // Its health moves without a word of the feed.
  const every = useInterval(10_000);
  const { data: id, error, isPending, refetch, dataUpdatedAt } = useQuery({
    queryKey: keys.instance(key),
    queryFn: () => readInstance(key),
    refetchInterval: every,
    retry: (count, failure) => !(failure instanceof Refusal) && count < 2,
  });
  // Before the first answer: a row that another screen has read.
  const found = id ?? idOf(key) ?? "";
  const held = useHeld(found);
  useEffect(() => {
    document.title = `${held?.record.name ?? key} · Berth`;
  }, [held?.record.name, key]);
  if (held !== undefined) {
    const trouble = error !== null && held.gone === null;
    return (
      <>
        {trouble && <Failed what={`${held.record.name} could not be read`} error={error} asOf={dataUpdatedAt || null} onRetry={() => void refetch()} />}
        <Page key={held.record.id} held={held} stale={trouble} />
      </>
    );
  }
  if (isPending) return <Bones label={`Loading ${key}`} rows={6} cols="12rem 12rem 1fr" />;
  return <Missing name={key} error={error} onRetry={() => void refetch()} />;
}

function Missing({ name, error, onRetry }: { name: string; error: unknown; onRetry: () => void }) {
  if (!(error instanceof Refusal) || error.problem.status !== 404) return <Failed what={`${name} could not be read`} error={error} onRetry={onRetry} />;
  const run = error.problem.run_url?.split("/").at(-1);
  return (
    <Empty page title={run ? "This life has ended" : `There is no ${name} now`}>
      <p className="muted">{run ? "What happened stays in History." : "A name belongs to the living. If it existed before, History knows."}</p>
      <div className="actions">
        <LinkButton kind="primary" href={run ? `/history/${run}` : `/history?q=${encodeURIComponent(name)}`}>
          View history
        </LinkButton>
        <LinkButton href="/instances">Instances</LinkButton>
      </div>
    </Empty>
  );
}

/** The operation that the page is about: the one under way, else the last that failed, else the last. */
function useSubject(instance: Instance): OperationForm | undefined {
  const named = instance.current_operation?.id ?? (instance.error_message !== null ? instance.last_failed_operation_id : null) ?? null;
  const { data: last = null } = useQuery({
    queryKey: [...keys.operations, "last", instance.id],
    queryFn: async () => {
      const { data } = await operationsList({ query: { instance: instance.id, page_size: 1 } });
      takeOperations(data.items);
      return data.items[0]?.id ?? null;
    },
    enabled: named === null,
  });
  const wanted = named ?? last;
  const known = useOperation(wanted);
  const steps = useStepInterval(known !== undefined && !known.done, false);
  useQuery({
    queryKey: keys.operation(wanted ?? ""),
    queryFn: () => readOperation(wanted ?? ""),
    enabled: wanted !== null,
    refetchInterval: steps,
  });
  return known;
}

const TABS = ["overview", "operations", "events", "logs", "config", "raw"] as const;
const TAB_WORDS = { overview: "Overview", operations: "Operations", events: "Events", logs: "Logs", config: "Config", raw: "Raw" };

function Page({ held, stale }: { held: Held; stale: boolean }) {
  const instance = held.record;
  const operation = useSubject(instance);
  const [params, setParams] = useSearchParams();
  const tab = Math.max(0, TABS.findIndex((one) => one === params.get("tab")));
  const failed = instance.error_message !== null && instance.current_operation === null && held.gone === null;
  const panels: ReactNode[] = [
    <Overview key="overview" held={held} operation={operation} failed={failed} />,
    <OperationsTab key="operations" instance={instance} />,
    <EventsPart key="events" instance={instance} whole />,
    <LogTail key="logs" instance={instance} over={held.gone !== null} tall />,
    <Config key="config" instance={instance} />,
    <Raw key="raw" instance={instance} />,
  ];
  return (
    <div className={stale ? "stale" : undefined}>
      <Header held={held} operation={operation} failed={failed} />
      {held.gone === null && <Notices instance={instance} />}
      <TabGroup selectedIndex={tab} onChange={(index) => setParams(index === 0 ? {} : { tab: TABS[index] ?? "" }, { replace: true })}>
        <TabList className="tabs" aria-label={instance.name}>
          {TABS.map((one) => (
            <Tab key={one}>{TAB_WORDS[one]}</Tab>
          ))}
        </TabList>
        <TabPanels>
          {panels.map((panel, index) => (
            <TabPanel key={TABS[index]} tabIndex={-1}>
              {panel}
            </TabPanel>
          ))}
        </TabPanels>
      </TabGroup>
    </div>
  );
}

function Header({ held, operation, failed }: { held: Held; operation: OperationForm | undefined; failed: boolean }) {
  const instance = held.record;
  const now = useNow();
  const choices = useChoices(instance);
  const below = failed ? wayOutOf(choices)?.action : undefined;
  const brief = operation?.done ? null : (operation ?? instance.current_operation);
  const role = roleOf(instance);
  return (
    <>
      <p className="crumb">
        <Link href="/instances">Instances</Link> / {instance.name}
      </p>
      <div className="title">
        <h1>{instance.name}</h1>
        <InstanceStatus instance={instance} operation={operation} />
        {lateness(brief, now) === "stuck" && brief?.stuck_at && <Stuck since={brief.stuck_at} />}
        {held.gone === null && <HealthLine instance={instance} />}
        <span className="grow" />
        {held.gone === null ? (
          <ActionButtons instance={instance} without={below ? [below] : []} />
        ) : (
          <div className="actions">
            <LinkButton kind="primary" href={`/history/${held.gone.runId ?? instance.id}`}>
              View history
            </LinkButton>
          </div>
        )}
        <p className="facts-line">
          {whatOf(instance)} on {whereOf(instance).replace(" · ", " ")}
          {role && `, ${role}`}, version {instance.version}
        </p>
      </div>
    </>
  );
}

function Overview({ held, operation, failed }: { held: Held; operation: OperationForm | undefined; failed: boolean }) {
  const instance = held.record;
  return (
    <div className="split">
      <div>
        {failed && <Fault instance={instance} operation={operation} />}
        {operation && <OperationPart operation={operation} />}
        <LogTail instance={instance} over={held.gone !== null} />
        <EventsPart instance={instance} />
      </div>
      <Facts instance={instance} />
    </div>
  );
}

/** Turns the feed into reads: what an event touched is read again, together and at most a few times a second. */

import { useEffect } from "react";

import { type Event, eventsList, type Instance, type OperationForm } from "@/api/client";
import { useSession } from "@/api/session";
import { lifecycleQuery } from "@/lib/lifecycle";
import { useToasts } from "@/lib/toasts";

import { EitherWire } from "./either";
import { Feed, type Link } from "./feed";
import { isNews } from "./merge";
import { fetchInstance, keys, queryClient, readOperation, usePausedInterval } from "./queries";
import { catchUp, readSoon } from "./rereads";
import { SocketWire } from "./socket";
import { SseWire } from "./sse";
import { distrust, held, operations, startEmpty, takeEvents, takeOperations, takeRecords, useLink } from "./store";
import type { HostStanding, Incoming } from "./transport";

const GATHER_MS = 40;
/** Where the server shows what changed it does so within this time; what is left then is read. */
const SHOWN_WITHIN_MS = 600;
const MOST_READS_AT_ONCE = 6;
/** What all pages read again at once is spread. */
const SPREAD_MS = 1_000;
/** What came while the page was hidden is still on its way for so long. */
const ON_ITS_WAY_MS = 700;

const arrived: Event[] = [];
const wanted = new Set<string>();
const fetched: Instance[] = [];
let reading = 0;
let storing: ReturnType<typeof setTimeout> | undefined;
let gathering: ReturnType<typeof setTimeout> | undefined;
let feed: Feed | null = null;

export function reconnectNow(): void {
  feed?.retryNow();
}

/** Once the server is heard again, what could not be read meanwhile is read at once. */
function onLink(link: Link, resumed: boolean): void {
  const { link: before, setLink } = useLink.getState();
  setLink(link);
  if (link.state !== "live") useLink.getState().setTold(false);
  if (link.state !== "live" || before.state === "live") return;
  if (!resumed) void catchUp();
  void queryClient.refetchQueries({ predicate: (query) => query.state.error !== null || query.state.fetchFailureCount > 0 });
}

function onIncoming(incoming: Incoming): void {
  if (incoming.kind === "snapshot_required") void startOver();
  if (incoming.kind === "records") takeShown(incoming.instances, incoming.operations);
  if (incoming.kind === "records" && incoming.hosts.length > 0) setTimeout(readHeldBy, Math.random() * SPREAD_MS, incoming.hosts);
  if (incoming.kind !== "event") return;
  arrived.push(incoming.event);
  // The first of a burst is shown at once, what follows within a frame or two comes together.
  if (arrived.length === 1) show();
  gathering ??= setTimeout(gather, GATHER_MS);
}

/** The server shows what changed: what would have been read need not be. */
function takeShown(instances: readonly Instance[], shownNow: readonly OperationForm[]): void {
  useLink.getState().setTold(true);
  for (const record of instances) wanted.delete(record.id);
  takeRecords(instances);
  takeOperations(shownNow);
}

/** No record tells that what may be asked of these has turned: those that are seen are read again. */
function readHeldBy(hosts: readonly HostStanding[]): void {
  const turned = new Set<string | null>(hosts.map((host) => host.id));
  const theirs = [...held.entries()].filter(([, row]) => turned.has(row.record.host_id));
  for (const [id, row] of theirs) {
    if (held.isWatched(id)) wanted.add(id);
    else held.set(id, { ...row, behind: true });
  }
  readWanted();
}

let shown = 0;

function show(): void {
  const fresh = arrived.slice(shown);
  for (const event of fresh) {
    const id = event.instance_id;
    // A row that nobody sees is read when somebody does.
    if (id !== null && isNews(held.get(id), event) && (held.get(id) === undefined || held.isWatched(id))) wanted.add(id);
  }
  shown = arrived.length;
  takeEvents(fresh);
}

function gather(): void {
  gathering = undefined;
  show();
  const events = arrived.splice(0);
  shown = 0;
  for (const id of unique(events.map((event) => event.operation_id))) {
    if (useLink.getState().told) break;
    if (operations.get(id) !== undefined || queryClient.getQueryState(keys.operation(id)) !== undefined) readOperation(id).catch(() => undefined);
  }
  readSoon(unique(events.flatMap((event) => [event.instance_id, event.deployment_id])));
  if (useLink.getState().told) setTimeout(readWanted, SHOWN_WITHIN_MS);
  else readWanted();
}

function unique(ids: readonly (string | null)[]): string[] {
  return [...new Set(ids.filter((id) => id !== null))];
}

/** Records that come close together are stored together: each change of the store costs every row a look. */
function store(record: Instance): void {
  fetched.push(record);
  storing ??= setTimeout(() => {
    storing = undefined;
    takeRecords(fetched.splice(0));
  }, GATHER_MS);
}

/** A few at a time: a bulk action on hundreds must not become hundreds of requests at once. */
function readWanted(): void {
  for (const id of wanted) {
    if (reading >= MOST_READS_AT_ONCE) return;
    wanted.delete(id);
    if (held.get(id)?.gone) continue;
    reading += 1;
    fetchInstance(id)
      .then(store)
      .catch(() => undefined)
      .finally(() => {
        reading -= 1;
        readWanted();
      });
  }
}

/** A row that came into sight with less than the whole truth. */
export function readBehind(id: string): void {
  wanted.add(id);
  readWanted();
}

/** Ask about every row that no list has shown since; those that have ended are marked so. */
export function readUnseen(since: number): void {
  for (const [id, row] of held.entries()) if (row.readAt < since && row.gone === null) wanted.add(id);
  readWanted();
}

/** Rows that no list reads again: while nobody tells of them, those that somebody sees are read one by one. */
export function useSeenRows(unread: boolean): void {
  const every = usePausedInterval();
  useEffect(() => {
    if (every === false || !unread) return undefined;
    const timer = setInterval(() => {
      for (const [id, row] of held.entries()) if (row.gone === null && held.isWatched(id)) wanted.add(id);
      readWanted();
    }, every);
    return () => clearInterval(timer);
  }, [every, unread]);
}

async function startOver(): Promise<void> {
  const since = Date.now();
  distrust();
  await queryClient.invalidateQueries();
  readUnseen(since);
}

/** A tab that slept may have missed the end of its line: ask whether there is more than what was heard. */
async function verify(): Promise<void> {
  const line = feed;
  if (line === null || document.visibilityState !== "visible") return;
  if (useLink.getState().link.state === "paused") return line.retryNow();
  const { cursor } = line;
  if (cursor === null) return;
  try {
    const { data } = await eventsList({ query: { after: cursor, limit: 1 } });
    if (!data.snapshot_required && data.items.length === 0) return;
    await new Promise((resolve) => setTimeout(resolve, ON_ITS_WAY_MS));
  } catch {
    // No answer says the same as a missed event: the line may be dead.
  }
  if (line === feed && line.cursor === cursor) line.redial();
}

/** Whoever is signed in next sees nothing of what this person was allowed to see, asked for, or was told. */
function startAnew(): void {
  feed?.close();
  feed = null;
  for (const timer of [storing, gathering]) clearTimeout(timer);
  storing = gathering = undefined;
  shown = arrived.length = fetched.length = 0;
  wanted.clear();
  startEmpty();
  useToasts.setState({ shown: [] });
  // What is still on the screen is asked for anew in the new name; where there is none, nothing is.
  queryClient.removeQueries(token() === null ? {} : { type: "inactive" });
  void queryClient.resetQueries();
}

const token = (): string | null => useSession.getState().token;

/** Keeps the page live as long as somebody is signed in. */
export function useSync(): void {
  const who = useSession((session) => session.token);
  // At once, before anything is drawn for the next person.
  useEffect(() => useSession.subscribe((session, before) => void (session.token === before.token || startAnew())), []);
  useEffect(() => {
    if (who === null) return undefined;
    void queryClient.prefetchQuery(lifecycleQuery);
    const wire = new EitherWire(new SocketWire(token), new SseWire(token));
    const own: Feed = new Feed(wire, { onIncoming, onLink: (link) => onLink(link, own.resumed) });
    feed = own;
    void own.run();
    const onWake = (): void => void verify();
    document.addEventListener("visibilitychange", onWake);
    window.addEventListener("focus", onWake);
    window.addEventListener("online", onWake);
    const onOffline = (): void => own.redial();
    window.addEventListener("offline", onOffline);
    return () => {
      own.close();
      document.removeEventListener("visibilitychange", onWake);
      window.removeEventListener("focus", onWake);
      window.removeEventListener("online", onWake);
      window.removeEventListener("offline", onOffline);
    };
  }, [who]);
}

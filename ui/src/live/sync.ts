/** Turns the feed into reads: what an event touched is read again, together and at most a few times a second. */

import { useEffect } from "react";

import type { Event, Instance } from "@/api/client";
import { useSession } from "@/api/session";
import { lifecycleQuery } from "@/lib/lifecycle";

import { Feed, type Link } from "./feed";
import { isNews } from "./merge";
import { fetchInstance, keys, queryClient, readOperation } from "./queries";
import { SseWire } from "./sse";
import { held, operations, takeEvents, takeRecords, useLink } from "./store";
import type { Incoming } from "./transport";

const GATHER_MS = 40;
const LISTS_MS = 400;
const MOST_READS_AT_ONCE = 6;
const SUSPICIOUS_SILENCE_MS = 20_000;

const arrived: Event[] = [];
const wanted = new Set<string>();
const fetched: Instance[] = [];
let reading = 0;
let storing: ReturnType<typeof setTimeout> | undefined;
let gathering: ReturnType<typeof setTimeout> | undefined;
let listsLater: ReturnType<typeof setTimeout> | undefined;
let feed: Feed | null = null;

export function reconnectNow(): void {
  feed?.retryNow();
}

/** Once the server is heard again, what could not be read meanwhile is read at once. */
function onLink(link: Link): void {
  const { link: before, setLink } = useLink.getState();
  setLink(link);
  if (link.state !== "live" || before.state === "live") return;
  void queryClient.refetchQueries({ predicate: (query) => query.state.status === "error" || query.state.fetchFailureCount > 0 });
}

function onIncoming(incoming: Incoming): void {
  if (incoming.kind === "snapshot_required") void startOver();
  if (incoming.kind !== "event") return;
  arrived.push(incoming.event);
  // The first of a burst is shown at once, what follows within a frame or two comes together.
  if (arrived.length === 1) show();
  gathering ??= setTimeout(gather, GATHER_MS);
}

let shown = 0;

function show(): void {
  const fresh = arrived.slice(shown);
  for (const event of fresh) if (event.instance_id !== null && isNews(held.get(event.instance_id), event)) wanted.add(event.instance_id);
  shown = arrived.length;
  takeEvents(fresh);
}

function gather(): void {
  gathering = undefined;
  show();
  const events = arrived.splice(0);
  shown = 0;
  for (const id of unique(events.map((event) => event.operation_id))) {
    if (operations.get(id) !== undefined || queryClient.getQueryState(keys.operation(id)) !== undefined) readOperation(id).catch(() => undefined);
  }
  for (const id of unique(events.map((event) => event.instance_id))) void queryClient.invalidateQueries({ queryKey: keys.history(id) });
  for (const id of unique(events.map((event) => event.deployment_id))) void queryClient.invalidateQueries({ queryKey: keys.deployment(id) });
  readWanted();
  listsLater ??= setTimeout(readLists, LISTS_MS);
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

/** Ask about every row that no list has shown since; those that have ended are marked so. */
export function readUnseen(since: number): void {
  for (const [id, row] of held.entries()) if (row.readAt < since && row.gone === null) wanted.add(id);
  readWanted();
}

async function startOver(): Promise<void> {
  const since = Date.now();
  await queryClient.invalidateQueries();
  readUnseen(since);
}

function readLists(): void {
  listsLater = undefined;
  for (const queryKey of [keys.instances, keys.operations, keys.deployments, keys.runs, keys.stats]) {
    void queryClient.invalidateQueries({ queryKey });
  }
}

/** A tab that slept may have missed the end of its line. */
function onWake(): void {
  if (document.visibilityState !== "visible") return;
  const { state, heardAt } = useLink.getState().link;
  if (state === "paused") feed?.retryNow();
  else if (heardAt !== null && Date.now() - heardAt > SUSPICIOUS_SILENCE_MS) feed?.redial();
}

/** Keeps the page live as long as somebody is signed in. */
export function useSync(): void {
  const token = useSession((session) => session.token);
  useEffect(() => {
    if (token === null) return undefined;
    void queryClient.prefetchQuery(lifecycleQuery);
    const own = new Feed(new SseWire(() => useSession.getState().token), { onLink, onIncoming });
    feed = own;
    void own.run();
    document.addEventListener("visibilitychange", onWake);
    window.addEventListener("online", onWake);
    return () => {
      own.close();
      document.removeEventListener("visibilitychange", onWake);
      window.removeEventListener("online", onWake);
    };
  }, [token]);
}

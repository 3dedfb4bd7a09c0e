/** The instance's history: the latest on the overview, all of it on its own tab. */

import { useInfiniteQuery } from "@tanstack/react-query";
import { Link } from "wouter";

import { type Instance, instancesHistory } from "@/api/client";
import { keys } from "@/live/queries";
import { Button } from "@/parts/Button";
import { EventList } from "@/parts/EventList";
import { Bones, Failed } from "@/parts/States";

const BRIEF = 6;

export function EventsPart({ instance, whole = false }: { instance: Instance; whole?: boolean }) {
  const { data, error, isPending, hasNextPage, fetchNextPage, isFetchingNextPage, refetch } = useInfiniteQuery({
    queryKey: [...keys.history(instance.id), whole],
    queryFn: async ({ pageParam }) =>
      (await instancesHistory({ path: { key: instance.id }, query: { page_size: whole ? 100 : BRIEF, ...(pageParam === null ? {} : { page_token: pageParam }) } })).data,
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next_page_token ?? null,
  });
  const events = data?.pages.flatMap((page) => page.items) ?? [];
  return (
    <section className="part" aria-labelledby="events">
      <header>
        <h2 id="events">Events</h2>
        <span className="muted">times in UTC</span>
        {!whole && events.length >= BRIEF && (
          <span className="actions">
            <Link href={`/instances/${instance.name}?tab=events`}>All events</Link>
          </span>
        )}
      </header>
      {error && <Failed what="The events could not be read" error={error} onRetry={() => void refetch()} />}
      {isPending && <Bones label="Loading events" rows={3} cols="4.6rem 5.5rem 1fr" />}
      <EventList events={whole ? events : events.slice(0, BRIEF)} />
      {whole && hasNextPage && (
        <Button busy={isFetchingNextPage} onClick={() => void fetchNextPage()}>
          Earlier events
        </Button>
      )}
    </section>
  );
}

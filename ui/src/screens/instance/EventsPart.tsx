/** The instance's history: the latest on the overview, all of it on its own tab. */

import { Link } from "wouter";

import { type Instance, instancesHistory } from "@/api/client";
import { usePages } from "@/live/pages";
import { keys, usePausedInterval } from "@/live/queries";
import { EventList } from "@/parts/EventList";
import { Bones, Failed, More } from "@/parts/States";

const BRIEF = 6;

export function EventsPart({ instance, whole = false }: { instance: Instance; whole?: boolean }) {
  const { rows: events, loading, error, next, retry } = usePages({
    key: [...keys.history(instance.id), whole],
    read: (query) => instancesHistory({ path: { key: instance.id }, query }),
    size: whole ? 100 : BRIEF,
    refetchInterval: usePausedInterval(),
  });
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
      {error && <Failed what="The events could not be read" error={error} onRetry={retry} />}
      {loading && <Bones label="Loading events" rows={3} cols="4.6rem 5.5rem 1fr" />}
      <EventList events={whole ? events : events.slice(0, BRIEF)} />
      {whole && <More next={next}>Earlier events</More>}
    </section>
  );
}

/** What happened, newest first: when, who, what changed, and on whose word. */

import type { Event } from "@/api/client";
import { statusWord, words } from "@/lib/look";
import { day } from "@/lib/time";

import { Clock } from "./Time";

export function EventList({ events, named = false }: { events: readonly Event[]; named?: boolean }) {
  let before = "";
  return (
    <ol className="events">
      {events.map((event) => {
        const date = day(event.time);
        const turned = date !== before && before !== "";
        before = date;
        return (
          <li key={event.cursor}>
            <span>
              <Clock time={event.time} />
              {turned && <small className="muted block">{date}</small>}
            </span>
            <span className="truncate" title={event.actor}>
              {event.actor}
            </span>
            <span>
              {named && typeof event.data["name"] === "string" && <b>{event.data["name"]} </b>}
              {sentenceOf(event)}
            </span>
            <Proof event={event} />
          </li>
        );
      })}
    </ol>
  );
}

function sentenceOf(event: Event): string {
  const said = words(event.event_type.toLowerCase());
  const moved = event.from !== event.to && event.to ? `, ${event.from ? statusWord(event.from).toLowerCase() : "nothing"} → ${statusWord(event.to).toLowerCase()}` : "";
  const cause = typeof event.data.error === "string" ? `: ${event.data.error}` : "";
  const { health, health_before: before } = event.data;
  const turned = typeof health === "string" ? `, ${typeof before === "string" ? `${before} → ` : ""}${health}` : "";
  const reason = event.reason ? `, reason ${event.reason.replaceAll("_", " ")}` : "";
  return said + moved + turned + cause + reason;
}

/** Solid is confirmed from outside, dashed is not. */
function Proof({ event }: { event: Event }) {
  if (!event.confirmation_method) return <span className="src">{event.source}</span>;
  return (
    <span className="src">
      <span className="proof">confirmed by {event.confirmation_method.replaceAll("_", " ")}</span>
    </span>
  );
}

"""What happened: the one feed, an instance's history, finished lives."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from fastapi.concurrency import run_in_threadpool
from sqlalchemy.orm import Session

from api import schemas
from api.access import needs
from api.answers import ok, unless_known
from api.dependencies import CallerDep, KnownHeader, PartsDep
from api.filters import EventQuery, Page, RunQuery
from api.live.feed import Feed
from api.paging import Pages, as_place, as_position, page_form
from api.parts import Parts
from api.reading import printable_key
from db.queries import events, runs
from db.queries.events import EventFilter
from domain.access import Right
from domain.errors import NotFound
from domain.specs import Caller
from services.views.events import cursor, event_form, number, run_form

router = APIRouter(tags=["history"])
MOST_EVENTS = 1000


@router.get(
    "/events", operation_id="events_list", response_model=schemas.EventList, dependencies=[needs(Right.READ)]
)
async def list_events(parts: PartsDep, caller: CallerDep, query: Annotated[EventQuery, Query()]) -> Response:
    """The feed in commit order. Without `after` and `since` the latest; then go on with `next`.

    `snapshot_required`: the cursor is of another life of the records, or too old; read the lists again.
    """
    wanted = EventFilter(
        caller.project, query.instance_id, query.deployment_id, query.operation_id, query.event_type
    )
    form = await run_in_threadpool(events_form, parts, wanted, query)
    if query.wait and query.after is not None and not form["items"] and not form["snapshot_required"]:
        await parts.connections.run(caller, _news(parts.feed, wanted, form["next"], query.wait))
        form = await run_in_threadpool(events_form, parts, wanted, query)
    return ok(form)


async def _news(feed: Feed, wanted: EventFilter, after: str, seconds: float) -> None:
    """Until the feed has something that is wanted, or the time is over. It asks the records nothing meanwhile."""
    try:
        async with asyncio.timeout(seconds):
            place = await feed.open(after)
            with feed.listen() as news:
                while not feed.closing:
                    news.clear()
                    entries, place = await feed.take(place, wanted)
                    if entries or place.gap:
                        return
                    await news.wait()
    except TimeoutError:
        return


def events_form(parts: Parts, wanted: EventFilter, query: EventQuery) -> dict[str, Any]:
    """One look at the feed."""
    limit = min(query.limit, MOST_EVENTS)
    with parts.database.read() as session:
        epoch = events.epoch(session)
        lowest, highest = events.bounds(session)
        if query.after is None and query.since is None:
            rows = events.latest(session, wanted, limit)
            last = highest
        else:
            seq = _begin(session, epoch, query)
            if seq is None or seq > highest or seq < lowest - 1:
                return {"items": [], "next": cursor(epoch, highest), "snapshot_required": True}
            rows = events.after(session, wanted, seq, limit)
            last = rows[-1].seq if len(rows) == limit else highest
        items = [event_form(row, epoch) for row in rows]
    return {"items": items, "next": cursor(epoch, last), "snapshot_required": False}


def _begin(session: Session, epoch: str, query: EventQuery) -> int | None:
    """The number to go on behind; None for a cursor of another life of the records."""
    if query.after is None and query.since is not None:
        return events.number_before(session, query.since)
    return number(epoch, query.after or "")


@router.get(
    "/instances/{key}/history",
    operation_id="instances_history",
    response_model=schemas.History,
    dependencies=[needs(Right.READ)],
)
def history(parts: PartsDep, caller: CallerDep, key: str, query: Annotated[Page, Query()]) -> Response:
    """Events of one instance, newest first: by id also after its end, by name over all its lives."""
    pages = Pages(parts.vault, "history", (caller.project, key))
    place = pages.place(query.page_token)
    with parts.database.read() as session:
        lives = _lives(session, caller, key)
        rows, before = events.history(session, lives, place["before"] if place else None, query.size)
        epoch = events.epoch(session)
    items = [event_form(row, epoch) for row in rows]
    return ok(page_form(items, pages.token({"before": before} if before is not None else None), events=items))


def _lives(session: Session, caller: Caller, key: str) -> list[str]:
    lives = events.lives(session, caller.project, printable_key(key, "instance"))
    if not lives:
        raise NotFound("instance", key)
    return lives


@router.get("/runs", operation_id="runs_list", response_model=schemas.RunList, dependencies=[needs(Right.READ)])
def list_runs(parts: PartsDep, caller: CallerDep, query: Annotated[RunQuery, Query()]) -> Response:
    """Finished lives, the latest end first."""
    wanted = query.wanted(caller.project)
    pages = Pages(parts.vault, "runs", wanted)
    with parts.database.read() as session:
        rows, position = runs.page(session, wanted, as_position(pages.place(query.page_token)), query.size)
    return ok(page_form([run_form(row) for row in rows], pages.token(as_place(position))))


@router.get(
    "/runs/{run_id}", operation_id="runs_get", response_model=schemas.Run, dependencies=[needs(Right.READ)]
)
def get_run(parts: PartsDep, caller: CallerDep, run_id: str, known: KnownHeader = None) -> Response:
    """One finished life, by its own id or the instance's."""
    with parts.database.read() as session:
        row = runs.find(session, caller.project, printable_key(run_id, "run"))
    if row is None:
        raise NotFound("run", run_id)
    return unless_known(run_form(row), known)

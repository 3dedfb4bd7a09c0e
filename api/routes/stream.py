"""The one feed, live: as server-sent events, and as a socket."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import nullcontext
from typing import Annotated

import structlog
from fastapi import APIRouter, Header, Query, Response, WebSocket
from fastapi.concurrency import run_in_threadpool
from sqlalchemy.exc import SQLAlchemyError
from starlette.responses import StreamingResponse
from starlette.websockets import WebSocketDisconnect

from api import schemas
from api.access import needs, require
from api.answers import made
from api.changes.transactions import commit
from api.dependencies import CallerDep, PartsDep
from api.filters import LONGEST_CURSOR, LiveQuery
from api.gate.visits import told
from api.live.connections import SEND_SECONDS, CredentialEnded, SeatedResponse
from api.live.entries import Entry
from api.live.feed import Feed, Place
from api.live.records import Shown
from api.live.sockets import (
    FIRST_MESSAGE_SECONDS,
    FORBIDDEN,
    SLOW,
    UNAUTHORIZED,
    BadMessageError,
    Session,
    Subscribe,
    subscription,
)
from api.parts import Parts
from db.queries.events import EventFilter
from domain.access import AccessRole, Right
from domain.errors import Forbidden, Unavailable
from domain.specs import Caller
from services.access.audit import Circumstances
from services.access.bounds import LimitReached
from services.access.codes import LIVES, CodeRefused, Purpose, issue, redeem

log = structlog.get_logger("api")
router = APIRouter(tags=["history"])
sockets = APIRouter()
"""The socket alone: it has one more address."""
KEEP_ALIVE_SECONDS = 15.0


@router.get(
    "/events/stream",
    operation_id="events_stream",
    response_class=StreamingResponse,
    dependencies=[needs(Right.READ)],
)
async def stream_events(
    parts: PartsDep,
    caller: CallerDep,
    query: Annotated[LiveQuery, Query()],
    last_event_id: Annotated[str | None, Header()] = None,
) -> Response:
    """The feed as server-sent events, resumed at `after` or `Last-Event-ID`; without either, from now on."""
    after = (last_event_id or query.after or "")[:LONGEST_CURSOR]
    wanted = EventFilter(
        caller.project, query.instance_id, query.deployment_id, query.operation_id, query.event_type
    )
    place = await parts.feed.open(after or None)
    seat = await parts.connections.admit(caller)
    told = parts.connections.stream(caller, _server_sent(parts.feed, caller, place, wanted, records=query.records))
    return SeatedResponse(seat, told, "text/event-stream")


async def _server_sent(
    feed: Feed, caller: Caller, place: Place, wanted: EventFilter, *, records: bool
) -> AsyncIterator[str]:
    with feed.listen() as news, feed.records.listen(news) if records else nullcontext():
        yield "retry: 1000\n\n"
        serial, said_at = feed.records.serial, time.monotonic()
        while not (feed.closing or feed.silent):
            news.clear()
            try:
                entries, after = await feed.take(place, wanted)
            except SQLAlchemyError as error:
                log.warning("a stream ends: the records do not answer", kind=type(error).__name__)
                return  # the client asks again from the last event that it has
            shown = feed.records.since(serial, wanted) if records else []
            text = "".join(
                (_gap(place, after), *map(_event, entries), *(_record(one, caller.role) for one in shown))
            )
            moved, serial = after.seq != place.seq or place.gap, shown[-1].serial if shown else serial
            place = Place(after.epoch, after.seq)
            if not text and time.monotonic() - said_at >= KEEP_ALIVE_SECONDS:
                text = ": still here\n\n"
            if text:
                yield text
                said_at = time.monotonic()
            elif not moved:
                await news.wait()


def _gap(place: Place, after: Place) -> str:
    if not place.gap and not after.gap:
        return ""
    gap = json.dumps({"type": "snapshot_required", "snapshot_required": True, "cursor": after.cursor})
    return f"id: {after.cursor}\nevent: snapshot_required\ndata: {gap}\n\n"


def _event(entry: Entry) -> str:
    return f"id: {entry.cursor}\ndata: {entry.text}\n\n"


def _record(shown: Shown, role: AccessRole) -> str:
    """Without an id: it is not in the log, and nobody resumes behind it."""
    return f"event: {shown.kind}\ndata: {shown.for_role(role)}\n\n"


@router.post(
    "/ws-tickets",
    operation_id="ws_tickets_create",
    status_code=201,
    response_model=schemas.Code,
    dependencies=[needs(Right.SELF)],
)
def ticket(parts: PartsDep, caller: CallerDep) -> Response:
    """A ticket for one socket: a browser cannot send a token with the handshake."""
    code = commit(parts.database, lambda tx: issue(tx, caller, Purpose.SOCKET))
    return made({"ticket": code, "expires_in": int(LIVES[Purpose.SOCKET].total_seconds())})


@sockets.websocket("/ws")
async def socket(websocket: WebSocket) -> None:
    """The feed as a socket. The first message says from where, and shows the ticket where there is no token."""
    try:
        await websocket.accept()
        code, why = await _serve(websocket, websocket.app.state.parts)
        async with asyncio.timeout(SEND_SECONDS):
            if why is not None:
                await websocket.send_text(json.dumps({"type": "error", "detail": why}))
            await websocket.close(code)
    except (WebSocketDisconnect, TimeoutError, RuntimeError):
        return  # the client has left, which it may at any moment, or takes nothing any more


async def _serve(websocket: WebSocket, parts: Parts) -> tuple[int, str | None]:
    """Until the end; the code to close with, and why, where that says something. Raises `WebSocketDisconnect`."""
    try:
        known = websocket.scope["state"].get("caller")
        asked = await _first_message(websocket, waits=known is None)
        caller = known or await _shown(websocket, parts, asked)
        require(caller, Right.READ)
        with await parts.connections.admit(caller):
            session = Session(websocket, parts.feed, caller, asked, await parts.feed.open(asked.after))
            if known is None or asked.after is not None:
                session.heard.set()
            return await parts.connections.run(caller, session.run()), None
    except CredentialEnded:
        return UNAUTHORIZED, None
    except Forbidden as error:
        return FORBIDDEN, error.message
    except LimitReached as error:
        return SLOW, error.message  # lines that were cut are counted until they are missed: worth another try
    except (TimeoutError, BadMessageError, CodeRefused) as error:
        return UNAUTHORIZED, str(error) or "no message came"
    except (SQLAlchemyError, Unavailable) as error:
        log.warning("a socket ends: the records do not answer", kind=type(error).__name__)
        return SLOW, "The database does not answer now."


async def _first_message(websocket: WebSocket, *, waits: bool) -> Subscribe:
    """Who has a token need not say anything: it gets everything from now on, and may subscribe later."""
    if not waits:
        return Subscribe(type="subscribe", after=websocket.query_params.get("after"))
    async with asyncio.timeout(FIRST_MESSAGE_SECONDS):
        return await subscription(websocket)


async def _shown(websocket: WebSocket, parts: Parts, asked: Subscribe) -> Caller:
    """Whom the ticket stands for. Raises `CodeRefused`, which the trail is told."""
    remote = websocket.client.host if websocket.client else ""
    try:
        caller = await run_in_threadpool(
            commit, parts.database, lambda tx: redeem(tx, asked.ticket or "", Purpose.SOCKET)
        )
    except CodeRefused:
        if parts.rates.refused(remote).allowed:
            about = Circumstances(websocket.scope["state"]["trace_id"], remote or None)
            parts.trail.note(**told(about, "sockets_open", websocket.scope["path"], 401))
        raise
    parts.rates.proven(remote)
    return caller

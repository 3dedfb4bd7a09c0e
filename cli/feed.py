"""The live feed, for commands that watch: one socket, resumed at its cursor whatever happens to the connection.

A dead connection is noticed by unanswered pings within seconds. After an outage the Berth is looked for again: one
that was started anew may answer at another port. Called by `list --watch` and `events --follow`.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.sync.client import connect
from websockets.sync.connection import Connection

from cli.calls import PREFIX
from cli.errors import CliError, ExitCode, Unreachable
from cli.session import Session

PING_SECONDS = 3.0
"""A connection is dead when a ping has gone unanswered for as long."""

OUTAGE_SECONDS = 120.0
_OPEN_SECONDS = 5.0
_LONGEST_PAUSE = 2.0
_LARGEST_FRAME = 64 * 1024 * 1024
_UNAUTHORIZED, _FORBIDDEN, _BAD_MESSAGE = 4401, 4403, 1008
_LOST = (ConnectionClosed, InvalidHandshake, OSError, TimeoutError, Unreachable)

Event = dict[str, Any]


@dataclass(frozen=True)
class News:
    """What came at once. `fresh`: just connected; `gap`: events are missing; `lost`: why nobody tells."""

    events: list[Event] = field(default_factory=list)
    cursor: str = ""
    fresh: bool = False
    gap: bool = False
    lost: str = ""


def follow(session: Session, after: str | None = None, instance_id: str | None = None) -> Iterator[News]:
    """All behind the cursor `after`, or from now on, for ever. Raises `CliError` where waiting is in vain."""
    cursor, silent_since, pause = after, 0.0, 0.1
    while True:
        try:
            with _opened(session) as socket:
                for news in _conversation(socket, cursor, instance_id):
                    cursor, silent_since, pause = news.cursor or cursor, 0.0, 0.1
                    yield news
        except _LOST as error:
            _refuse_in_vain(error)
            if not silent_since:
                silent_since = time.monotonic()
                yield News(lost=_why(session, error))
            if time.monotonic() - silent_since > OUTAGE_SECONDS:
                raise _given_up(session) from None
        time.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 - spreads clients, guards nothing
        pause = min(pause * 2, _LONGEST_PAUSE)
        session.look_again()


def _opened(session: Session) -> Connection:
    target = session.target
    proof = {"Authorization": f"Bearer {target.token}"} if target.token else {}
    return connect(
        target.url.replace("http", "ws", 1) + PREFIX + "/ws",
        additional_headers={**session.headers, **proof},
        user_agent_header="berth-cli",
        proxy=None if target.is_loopback else True,
        compression=None,
        open_timeout=_OPEN_SECONDS,
        close_timeout=1.0,
        ping_interval=PING_SECONDS,
        ping_timeout=PING_SECONDS,
        max_size=_LARGEST_FRAME,
    )


def _conversation(socket: Connection, after: str | None, instance_id: str | None) -> Iterator[News]:
    """What the server tells on one connection."""
    greeting = json.loads(socket.recv(timeout=_OPEN_SECONDS))
    start = after if after is not None else str(greeting.get("cursor") or "")
    asked = {"type": "subscribe", "after": start, "batch": True}
    socket.send(json.dumps(asked | ({"instance_id": instance_id} if instance_id else {})))
    # What comes before the second greeting is not filtered yet, and comes again behind `start`.
    while (frame := json.loads(socket.recv(timeout=_OPEN_SECONDS))).get("type") != "hello":
        _refuse_error(frame)
    yield News(cursor=str(frame.get("cursor") or start), fresh=True)
    while True:
        yield _together(_frames(socket))


def _frames(socket: Connection) -> Iterator[Mapping[str, Any]]:
    """The next frame, and those that are there already."""
    yield json.loads(socket.recv())
    while True:
        try:
            yield json.loads(socket.recv(timeout=0))
        except (TimeoutError, ConnectionClosed):
            return  # a connection that has ended says so to the next one who waits


def _together(frames: Iterator[Mapping[str, Any]]) -> News:
    events: list[Event] = []
    cursor, gap = "", False
    for frame in frames:
        _refuse_error(frame)
        gap = gap or frame.get("type") == "snapshot_required"
        # S2's retold forms share the cursor of the event they retell, and have no `time`.
        events += [event for event in frame.get("items", ()) if "time" in event]
        cursor = str(frame.get("cursor") or (events[-1]["cursor"] if events else cursor))
    return News(events, cursor, gap=gap)


def _refuse_error(frame: Mapping[str, Any]) -> None:
    if frame.get("type") == "error":
        raise CliError("Berth refused the subscription.", code=ExitCode.USAGE, detail=str(frame.get("detail")))


def _refuse_in_vain(error: BaseException) -> None:
    """Another attempt with the same words would be refused again."""
    status = error.response.status_code if isinstance(error, InvalidStatus) else None
    code = error.rcvd.code if isinstance(error, ConnectionClosed) and error.rcvd else None
    if status in (401, 403) or code in (_UNAUTHORIZED, _FORBIDDEN):
        hint = "set BERTH_TOKEN, or name the data directory of your Berth with --data-dir"
        raise CliError("Berth does not let you follow its feed.", code=ExitCode.AUTH, hints=(hint,)) from None
    if code == _BAD_MESSAGE or (status is not None and 400 <= status < 500 and status != 429):
        raise CliError("Berth refused the subscription.", code=ExitCode.USAGE, detail=str(error)) from None


def _why(session: Session, error: BaseException) -> str:
    if isinstance(error, Unreachable):
        return error.title
    return f"No connection to {session.target.url}."


def _given_up(session: Session) -> Unreachable:
    return Unreachable(f"Berth has not answered for {OUTAGE_SECONDS:.0f} s.", hints=(session.berth("status"),))

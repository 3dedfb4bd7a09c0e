"""One client's socket: who it is, where it is in the feed, and what it is sent.

Frames are JSON. Events are the objects of `GET /events`; S2's names for the turns of a life
(`INSTANCE_LAUNCHING` …) follow the event that they retell, under its cursor. All else has a `type`: `hello`,
`snapshot_required`, `heartbeat`, `error`, `events` for clients that asked for several at once, and `records` for
those that asked for what operations and instances look like now.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import Field, ValidationError
from starlette.websockets import WebSocket

from api.filters import LONGEST_CURSOR
from api.live.connections import SEND_SECONDS
from api.live.entries import Entry, frames_of
from api.live.feed import Feed, Place
from api.live.wakeups import wait_for
from db.queries.events import EventFilter
from domain.specs import Caller
from services.forms.bodies import Body

HEARTBEAT_SECONDS = 15.0
FIRST_MESSAGE_SECONDS = 5.0
"""Without a token: a ticket must be shown within."""
FIRST_WORD_SECONDS = 1.0
"""With one: events wait so long for the message that says from where."""
LONGEST_MESSAGE = 4096
_PACE_SECONDS, _AT_ONCE = 0.05, 10
"""Each message is a question to the records: so many may come together, then one in so long is heard."""

UNAUTHORIZED, FORBIDDEN, SLOW, BAD_MESSAGE, GOING_AWAY = 4401, 4403, 1013, 1008, 1001


Id = Annotated[str, Field(max_length=64, pattern=r"^[^\x00-\x1f\x7f]*$")]


class Subscribe(Body):
    """What a client says first, and again when it wants something else."""

    type: str = Field(pattern="^subscribe$")
    ticket: str | None = Field(None, max_length=200, description="Of `POST /ws-tickets`; not with a bearer token.")
    after: str | None = Field(None, max_length=LONGEST_CURSOR, description="The cursor of the last event seen.")
    instance_id: Id | None = None
    deployment_id: Id | None = None
    operation_id: Id | None = None
    batch: bool = Field(False, description="Several events in one frame where they come close together.")
    records: bool = Field(
        False, description="Also the operations and instances themselves, whenever they show something new."
    )

    def wanted(self, caller: Caller) -> EventFilter:
        """As a filter of the feed."""
        return EventFilter(caller.project, self.instance_id, self.deployment_id, self.operation_id)


class BadMessageError(Exception):
    """The client said something else than agreed; the text is for it."""


@dataclass
class Session:
    """The life of one accepted socket. `subscription` may be replaced at any time by the client."""

    socket: WebSocket
    feed: Feed
    caller: Caller
    subscription: Subscribe
    place: Place
    heard: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once the client has said what it wants, or a moment has gone by."""
    changed: bool = True
    serial: int = 0
    """Of the last record that was told."""
    said_at: float = field(default_factory=time.monotonic)
    due: float = 0.0
    """When the next message of the client will be heard, if it has said much."""

    async def run(self) -> int:
        """Returns the code to close with. Raises `WebSocketDisconnect` when the client has left."""
        with self.feed.listen() as news:
            return await self._converse(news)

    async def _converse(self, news: asyncio.Event) -> int:
        listening = asyncio.create_task(self._listen(news))
        talking = asyncio.create_task(self._talk(news))
        try:
            await asyncio.wait([listening, talking], return_when=asyncio.FIRST_COMPLETED)
            ended = talking if talking.done() else listening
            return ended.result()
        finally:
            for task in (listening, talking):
                task.cancel()
            await asyncio.gather(listening, talking, return_exceptions=True)

    async def _listen(self, news: asyncio.Event) -> int:
        while True:
            try:
                said = await subscription(self.socket)
            except BadMessageError as error:
                await self._send({"type": "error", "detail": str(error)})
                return BAD_MESSAGE
            self.subscription = said
            self.place = await self.feed.open(said.after) if said.after is not None else self.place
            self.changed = True
            self.heard.set()
            news.set()
            await self._rest()

    async def _rest(self) -> None:
        now = time.monotonic()
        self.due = max(self.due, now - _AT_ONCE * _PACE_SECONDS) + _PACE_SECONDS
        await asyncio.sleep(max(0.0, self.due - now))

    async def _talk(self, news: asyncio.Event) -> int:
        try:
            with ExitStack() as recording:
                while not self.feed.closing:
                    news.clear()
                    if self.feed.silent:
                        return SLOW
                    if self.changed:
                        await self._begin(news, recording)
                        await self._let_speak()
                        continue
                    moved = await self._tell_events()
                    moved = await self._tell_records() or moved
                    if not moved and not await self._beat():
                        await news.wait()
        except TimeoutError:
            return SLOW
        return GOING_AWAY

    async def _begin(self, news: asyncio.Event, recording: ExitStack) -> None:
        self.changed = False
        await self._send(self._hello())
        recording.close()
        self.serial = self.feed.records.serial
        if self.subscription.records:
            recording.enter_context(self.feed.records.listen(news))

    async def _let_speak(self) -> None:
        """Who says at once from where it goes on is told nothing from elsewhere before."""
        await wait_for(self.heard, FIRST_WORD_SECONDS)
        self.heard.set()

    async def _tell_events(self) -> bool:
        """Whether there was anything, wanted or not: then there may be more."""
        place, wanted = self.place, self.subscription.wanted(self.caller)
        batch = self.feed.batch(place, wanted) if self.subscription.batch and not place.gap else None
        if batch is not None:
            texts, after = batch
            for text in texts:
                await self._send_text(text)
        else:
            entries, after = await self.feed.take(place, wanted)
            if after.gap or place.gap:
                await self._send({"type": "snapshot_required", "cursor": after.cursor})
                after = Place(after.epoch, after.seq)
            await self._tell(entries)
        if self.place is place:  # a new subscription may have moved it meanwhile
            self.place = after
        return after.seq != place.seq or place.gap

    async def _tell_records(self) -> bool:
        if not self.subscription.records:
            return False
        shown = self.feed.records.since(self.serial, self.subscription.wanted(self.caller))
        if not shown:
            return False
        self.serial = shown[-1].serial
        for text in frames_of("records", [one.for_role(self.caller.role) for one in shown]):
            await self._send_text(text)
        return True

    async def _beat(self) -> bool:
        """A sign of life after a silence. Whether it was time for one."""
        if time.monotonic() - self.said_at < HEARTBEAT_SECONDS:
            return False
        await self._send({"type": "heartbeat", "cursor": self.place.cursor})
        return True

    def _hello(self) -> dict[str, Any]:
        return {
            "type": "hello",
            "cursor": self.place.cursor,
            "epoch": self.place.epoch,
            "heartbeat_seconds": HEARTBEAT_SECONDS,
        }

    async def _tell(self, entries: Sequence[Entry]) -> None:
        texts = [text for entry in entries for text in entry.texts]
        for text in frames_of("events", texts) if self.subscription.batch else texts:
            await self._send_text(text)

    async def _send(self, form: dict[str, Any]) -> None:
        await self._send_text(json.dumps(form))

    async def _send_text(self, text: str) -> None:
        async with asyncio.timeout(SEND_SECONDS):
            await self.socket.send_text(text)
        self.said_at = time.monotonic()


async def subscription(socket: WebSocket) -> Subscribe:
    """The next message of a client. Raises `BadMessageError`, and `WebSocketDisconnect` when it has left."""
    try:
        text = await socket.receive_text()
    except KeyError:
        raise BadMessageError("a frame of text is expected") from None
    return _subscription_in(text)


def _subscription_in(text: str) -> Subscribe:
    if len(text) > LONGEST_MESSAGE:
        raise BadMessageError(f"a message is longer than {LONGEST_MESSAGE} characters")
    try:
        return Subscribe.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = "/".join(str(part) for part in first["loc"])
        raise BadMessageError(f"not a subscribe message: {where}: {first['msg']}") from None

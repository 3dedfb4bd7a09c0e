"""The live feed of this process: one reader follows the records, and every stream reads what it remembers.

However many clients listen, the database sees one query per burst of news. A stream is a place in the feed, not a
queue: it takes what follows its place when its client can take more, so that a slow one costs nothing but its own
lateness. Called by the streams (server-sent events, sockets); started and closed with the API.
"""

from __future__ import annotations

import asyncio
import time
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import structlog
from fastapi.concurrency import run_in_threadpool

from api.live.entries import Entry, entry_of, frames_of
from api.live.records import Records
from api.live.wakeups import Wakeups, wait_for
from db.queries import events
from db.queries.events import EventFilter
from db.session import Database
from domain.errors import Unavailable
from services.views.events import cursor, number

log = structlog.get_logger("api")
REMEMBERED = 20_000
MOST_AT_ONCE = 1_000
BEAT_SECONDS = 2.5
_LOOK_ANYWAY_SECONDS = 5.0
_REST_PER_LISTENER = 0.000_1
_LONGEST_REST = 0.2
_TRY_AGAIN_SECONDS = 1.0
_FIRST_LOOK_SECONDS = 5.0
_MOST_BATCHES = 1_000
SILENT_SECONDS = 15.0
"""The records have not answered for so long: what is shown may be old, and nobody is told that it is live."""


@dataclass(frozen=True)
class Place:
    """Where a stream is. `gap`: what it asked for is not to be had; it goes on from here after a snapshot."""

    epoch: str
    seq: int
    gap: bool = False

    @property
    def cursor(self) -> str:
        """As clients keep it."""
        return cursor(self.epoch, self.seq)


class Feed:
    """Its methods belong to the event loop."""

    def __init__(
        self, database: Database, wakeups: Wakeups, records: Records, remembered: int = REMEMBERED
    ) -> None:
        self._database = database
        self._wakeups = wakeups
        self.records = records
        self._remembered_most = remembered
        self._entries: list[Entry] = []
        self._numbers: list[int] = []
        self._epoch = ""
        self._tail = -1
        """The last number that was read; everything up to it is remembered here or stored there."""
        self._listeners: set[asyncio.Event] = set()
        self._rung_at = 0.0
        self._ringing: asyncio.TimerHandle | None = None
        self._batches: dict[tuple[EventFilter, int], tuple[tuple[str, ...], Place]] = {}
        self._ready = asyncio.Event()
        self._looked_at = time.monotonic()
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin to follow the records."""
        self._wakeups.tell_of_records(self.records.changed)
        self.records.start()
        self._tasks = [
            asyncio.create_task(self._follow(), name="feed"),
            asyncio.create_task(self._beat(), name="feed's beat"),
        ]

    async def close(self) -> None:
        """Let the streams end and stop following."""
        await self.records.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._ring()

    @property
    def tail(self) -> int:
        """The last number that was read."""
        return self._tail

    @property
    def closing(self) -> bool:
        """Whether streams should end."""
        return self._wakeups.closing

    @property
    def silent(self) -> bool:
        """Whether the records have not answered for so long that streams should end."""
        return time.monotonic() - self._looked_at > SILENT_SECONDS

    async def open(self, after: str | None) -> Place:
        """The place behind a cursor; without one, the end of the feed. Raises `Unavailable` before the first look.

        Another process may have told what this one has not read yet: such a place is ahead, and no gap.
        """
        if self.silent or not await wait_for(self._ready, _FIRST_LOOK_SECONDS):
            raise Unavailable("The records do not answer now.")
        if after is None:
            return Place(self._epoch, self._tail)
        seq = number(self._epoch, after)
        if seq is not None and self._numbers and self._numbers[0] - 1 <= seq <= self._tail:
            return Place(self._epoch, seq)
        lowest, highest = await run_in_threadpool(self._bounds)
        if seq is None or seq > max(self._tail, highest) or seq < lowest - 1:
            return Place(self._epoch, self._tail, gap=True)
        return Place(self._epoch, seq)

    async def take(self, place: Place, wanted: EventFilter) -> tuple[list[Entry], Place]:
        """What follows `place`, at most `MOST_AT_ONCE`, and where it goes on. Never waits for news."""
        if place.epoch != self._epoch:
            return [], Place(self._epoch, self._tail, gap=True)
        if self._numbers and place.seq >= self._numbers[0] - 1:
            return self._remembered(place, wanted)
        if place.seq >= self._tail:
            return [], place
        return await run_in_threadpool(self._stored, place, wanted)

    def batch(self, place: Place, wanted: EventFilter) -> tuple[tuple[str, ...], Place] | None:
        """As `take`, put into frames, once for all who are at this place and want the same.

        None: it is not remembered here; `take` it.
        """
        if place.epoch != self._epoch or not self._numbers or place.seq < self._numbers[0] - 1:
            return None
        key = (wanted, place.seq)
        found = self._batches.get(key)
        if found is None:
            if len(self._batches) >= _MOST_BATCHES:  # places and wishes are what clients say
                self._batches.clear()
            entries, after = self._remembered(place, wanted)
            found = (frames_of("events", [text for entry in entries for text in entry.texts]), after)
            self._batches[key] = found
        return found

    def _remembered(self, place: Place, wanted: EventFilter) -> tuple[list[Entry], Place]:
        first = bisect_right(self._numbers, place.seq)
        some = self._entries[first : first + MOST_AT_ONCE]
        end = some[-1].seq if some else place.seq
        return [entry for entry in some if entry.fits(wanted)], Place(self._epoch, end)

    def _stored(self, place: Place, wanted: EventFilter) -> tuple[list[Entry], Place]:
        """From the records: for one who was away longer than this process remembers."""
        tail = self._tail
        with self._database.read() as session:
            rows = [row for row in events.after(session, wanted, place.seq, MOST_AT_ONCE) if row.seq <= tail]
        entries = [entry_of(row, place.epoch) for row in rows]
        return entries, Place(place.epoch, entries[-1].seq if len(rows) == MOST_AT_ONCE else max(tail, place.seq))

    @contextmanager
    def listen(self) -> Iterator[asyncio.Event]:
        """An event of one's own. Clear it before `take`, wait for it afterwards.

        It is set at all news, and every few seconds without any, so that nobody needs a timer of his own.
        """
        news = asyncio.Event()
        self._listeners.add(news)
        try:
            yield news
        finally:
            self._listeners.discard(news)

    async def _follow(self) -> None:
        while not self.closing:
            woken = self._wakeups.news()
            try:
                read = await run_in_threadpool(self._read, self._epoch, self._tail)
            except Exception as error:  # noqa: BLE001 - whatever it was: nobody else tells the streams anything
                log.warning("the feed cannot read the records", kind=type(error).__name__)
                await asyncio.sleep(_TRY_AGAIN_SECONDS)
                continue
            self._looked_at = time.monotonic()
            self._remember(*read)
            if len(read[2]) < MOST_AT_ONCE:
                await wait_for(woken, _LOOK_ANYWAY_SECONDS)

    def _read(self, epoch: str, tail: int) -> tuple[str, int, list[Entry]]:
        """The numbering's life, the number to go on from, and what follows it."""
        with self._database.read() as session:
            now = events.epoch(session)
            if now != epoch:
                return now, events.bounds(session)[1], []
            return now, tail, [entry_of(row, now) for row in events.of_all(session, tail, MOST_AT_ONCE)]

    def _remember(self, epoch: str, tail: int, entries: Sequence[Entry]) -> None:
        begun = epoch != self._epoch
        if begun:  # the first look, or the records were restored: what was remembered is of another life
            self._entries, self._numbers = [], []
        self._epoch, self._tail = epoch, entries[-1].seq if entries else tail
        self._batches.clear()
        self._entries += entries
        self._numbers += [entry.seq for entry in entries]
        if len(self._entries) > self._remembered_most * 5 // 4:
            del self._entries[: -self._remembered_most], self._numbers[: -self._remembered_most]
        self._ready.set()
        if entries or begun:
            self.records.changed(key for entry in entries for key in (entry.operation_id, entry.instance_id))
            self._ring_soon()

    def _ring_soon(self) -> None:
        """At once after a rest; in a crowd not too often: a thousand are told ten times a second."""
        loop = asyncio.get_running_loop()
        if self._ringing is not None:
            return
        rest = min(_LONGEST_REST, len(self._listeners) * _REST_PER_LISTENER)
        wait = self._rung_at + rest - loop.time()
        if wait <= 0:
            self._ring()
        else:
            self._ringing = loop.call_later(wait, self._ring)

    def _ring(self) -> None:
        self._ringing = None
        self._rung_at = asyncio.get_running_loop().time()
        for news in self._listeners:
            news.set()

    async def _beat(self) -> None:
        while not self.closing:
            await asyncio.sleep(BEAT_SECONDS)
            self._ring()

    def _bounds(self) -> tuple[int, int]:
        with self._database.read() as session:
            return events.bounds(session)

"""Waiting without polling: one thread with one connection listens to PostgreSQL and wakes who waits.

However many requests wait, the database sees one connection and one query per wake-up. What is missed (a lost
connection, a lost notification) is caught by looking again every second.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from db.listening import Listener, Note
from db.session import CHANNEL_EVENTS, CHANNEL_OPERATIONS, CHANNEL_RECORDS

_LOOK_SECONDS = 1.0
_NEWS_ANYWAY_SECONDS = 5.0
_FINISHED = "select id from operations where id = any(%s) and finished_at is not null"

Changed = Callable[[frozenset[str] | None], None]
"""Called on the event loop with the ids of records that changed beside the log; None: some may be missed."""


class Wakeups:
    """Started with the API, closed with it. `watch` and `news` belong to the event loop's thread."""

    def __init__(self, connect: Callable[[], Any]) -> None:
        self._watched: Counter[str] = Counter()
        self._finished: dict[str, asyncio.Event] = {}
        self._news = asyncio.Event()
        self._news_at = 0.0
        self._changed: Changed | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._listener = Listener(
            connect,
            [CHANNEL_EVENTS, CHANNEL_OPERATIONS, CHANNEL_RECORDS],
            self._heard,
            name="wakeups",
            look_seconds=_LOOK_SECONDS,
        )

    def start(self) -> None:
        """Begin to listen, on behalf of the running event loop."""
        self._loop = asyncio.get_running_loop()
        self._listener.start()

    def release(self) -> None:
        """Wake everybody for good: the API is about to go. Safe in a signal handler's callback."""
        self._listener.release()
        for event in self._finished.values():
            event.set()
        self._news.set()

    @property
    def closing(self) -> bool:
        """Whether nobody should wait any more."""
        return self._listener.closing

    def close(self) -> None:
        """Stop the thread."""
        self.release()
        self._listener.close()

    def tell_of_records(self, changed: Changed) -> None:
        """Whom to tell of records that changed beside the log: steps, health."""
        self._changed = changed

    @contextmanager
    def watch(self, operation_id: str) -> Iterator[asyncio.Event]:
        """An event that is set when the operation has ended. Look once inside before waiting for it."""
        event = self._finished.setdefault(operation_id, asyncio.Event())
        self._watched[operation_id] += 1
        if self.closing:
            event.set()
        try:
            yield event
        finally:
            self._watched[operation_id] -= 1
            if self._watched[operation_id] <= 0:
                del self._watched[operation_id], self._finished[operation_id]

    def news(self) -> asyncio.Event:
        """An event that is set at the next news of any kind. Take it before looking, wait for it afterwards."""
        return self._news

    def _heard(self, cursor: Any, notes: Sequence[Note] | None) -> None:
        """In the listener's thread. What is told of records alone ends no operation and is not in the log."""
        records = None if notes is None else frozenset(n.payload for n in notes if n.channel == CHANNEL_RECORDS)
        logged = notes is None or any(note.channel != CHANNEL_RECORDS for note in notes)
        told = logged or time.monotonic() > self._news_at
        if told:
            self._news_at = time.monotonic() + _NEWS_ANYWAY_SECONDS
        finished = self._ended(cursor) if logged or not notes else []
        loop = self._loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(self._ring, finished, told, records)

    def _ended(self, cursor: Any) -> list[str]:
        watched = list(self._watched)
        if not watched:
            return []
        cursor.execute(_FINISHED, (watched,))
        return [row[0] for row in cursor.fetchall()]

    def _ring(self, finished: list[str], told: bool, records: frozenset[str] | None) -> None:
        for operation_id in finished:
            event = self._finished.get(operation_id)
            if event is not None:
                event.set()
        if told and not self.closing:
            old, self._news = self._news, asyncio.Event()
            old.set()
        if self._changed is not None and (records is None or records):
            self._changed(records)


async def wait_for(event: asyncio.Event, seconds: float) -> bool:
    """Whether the event came within `seconds`."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return False
    return True

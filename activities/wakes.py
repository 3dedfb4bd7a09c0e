"""Wake-ups of waiting polls: one thread of a worker listens to the database and rings for the operation it names.

It saves time only: a poll that hears nothing, because the connection is lost, looks in its own time.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from db.listening import Listener, Note
from db.session import CHANNEL_OPERATIONS

_ALIVE_SECONDS = 10.0


class Wakes:
    """Started and closed with the worker. `watch` belongs to the event loop."""

    def __init__(self, connect: Callable[[], Any]) -> None:
        self._waiting: defaultdict[str, set[asyncio.Event]] = defaultdict(set)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._listener = Listener(
            connect, [CHANNEL_OPERATIONS], self._heard, name="wakes", look_seconds=_ALIVE_SECONDS
        )

    def start(self) -> None:
        """Begin to listen, on behalf of the running event loop."""
        self._loop = asyncio.get_running_loop()
        self._listener.start()

    def close(self) -> None:
        """Stop listening."""
        self._listener.close()

    @contextmanager
    def watch(self, operation_id: str) -> Iterator[asyncio.Event]:
        """An event that is set whenever something about the operation was told; whoever waits clears it."""
        event = asyncio.Event()
        self._waiting[operation_id].add(event)
        try:
            yield event
        finally:
            self._waiting[operation_id].discard(event)
            if not self._waiting[operation_id]:
                del self._waiting[operation_id]

    def _heard(self, cursor: Any, notes: Sequence[Note] | None) -> None:
        if notes is None:
            self._ring_for(None)
        elif not notes:
            cursor.execute("select 1")  # a dead connection is noticed by using it
        for note in notes or ():
            self._ring_for(note.payload)

    def _ring_for(self, operation_id: str | None) -> None:
        loop = self._loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(self._ring, operation_id)

    def _ring(self, operation_id: str | None) -> None:
        told = [operation_id] if operation_id else list(self._waiting)
        for key in told:
            for event in self._waiting.get(key, ()):
                event.set()

"""Waiting without polling: one thread with one connection listens to PostgreSQL and wakes who waits.

However many requests wait, the database sees one connection and one query per wake-up. What is missed (a lost
connection, a lost notification) is caught by looking again every second.
"""

from __future__ import annotations

import asyncio
import selectors
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg2
import structlog

from db.session import CHANNEL_EVENTS, CHANNEL_OPERATIONS

log = structlog.get_logger("api")
_LOOK_SECONDS = 1.0
_NEWS_ANYWAY_SECONDS = 5.0
_RECONNECT_SECONDS = 0.5
_FINISHED = "select id from operations where id = any(%s) and finished_at is not null"


class Wakeups:
    """Started with the API, closed with it. `watch` and `news` belong to the event loop's thread."""

    def __init__(self, connect: Callable[[], Any]) -> None:
        self._connect = connect
        self._watched: Counter[str] = Counter()
        self._finished: dict[str, asyncio.Event] = {}
        self._news = asyncio.Event()
        self._closed = threading.Event()
        self._wake_in, self._wake_out = socket.socketpair()
        self._thread = threading.Thread(target=self._run, name="wakeups", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self) -> None:
        """Begin to listen, on behalf of the running event loop."""
        self._loop = asyncio.get_running_loop()
        self._thread.start()

    def release(self) -> None:
        """Wake everybody for good: the API is about to go. Safe in a signal handler's callback."""
        self._closed.set()
        for event in self._finished.values():
            event.set()
        self._news.set()
        self._wake_in.send(b"x")

    @property
    def closing(self) -> bool:
        """Whether nobody should wait any more."""
        return self._closed.is_set()

    def close(self) -> None:
        """Stop the thread."""
        self.release()
        if self._thread.is_alive():
            self._thread.join(timeout=5)
        self._wake_in.close()
        self._wake_out.close()

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

    def _run(self) -> None:
        while not self._closed.is_set():
            try:
                connection = self._connect()
                try:
                    self._listen(connection)
                finally:
                    connection.close()
            except (psycopg2.Error, ValueError, OSError) as error:
                log.warning("not listening to the database", kind=type(error).__name__)
                self._closed.wait(_RECONNECT_SECONDS)

    def _listen(self, connection: Any) -> None:
        with connection.cursor() as cursor, selectors.DefaultSelector() as selector:
            selector.register(connection, selectors.EVENT_READ)
            selector.register(self._wake_out, selectors.EVENT_READ)
            cursor.execute(f"listen {CHANNEL_EVENTS}; listen {CHANNEL_OPERATIONS}")
            news_at = 0.0
            while not self._closed.is_set():
                connection.poll()
                told = bool(connection.notifies) or time.monotonic() > news_at
                connection.notifies.clear()
                if told:
                    news_at = time.monotonic() + _NEWS_ANYWAY_SECONDS
                self._look(cursor, told=told)
                selector.select(_LOOK_SECONDS)

    def _look(self, cursor: Any, *, told: bool) -> None:
        watched = list(self._watched)
        finished: list[str] = []
        if watched:
            cursor.execute(_FINISHED, (watched,))
            finished = [row[0] for row in cursor.fetchall()]
        loop = self._loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(self._ring, finished, told)

    def _ring(self, finished: list[str], told: bool) -> None:
        for operation_id in finished:
            event = self._finished.get(operation_id)
            if event is not None:
                event.set()
        if told and not self.closing:
            old, self._news = self._news, asyncio.Event()
            old.set()


async def wait_for(event: asyncio.Event, seconds: float) -> bool:
    """Whether the event came within `seconds`."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return False
    return True

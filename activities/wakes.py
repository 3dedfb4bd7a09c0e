"""Wake-ups of waiting polls: one thread of a worker listens to the database and rings for the operation it names.

It saves time only: a poll that hears nothing, because the connection is lost, looks in its own time.
"""

from __future__ import annotations

import asyncio
import selectors
import socket
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg2
import structlog

from db.session import CHANNEL_OPERATIONS

log = structlog.get_logger("worker")
_RECONNECT_SECONDS = 0.5
_ALIVE_SECONDS = 10.0


class Wakes:
    """Started and closed with the worker. `watch` belongs to the event loop."""

    def __init__(self, connect: Callable[[], Any]) -> None:
        self._connect = connect
        self._waiting: defaultdict[str, set[asyncio.Event]] = defaultdict(set)
        self._closed = threading.Event()
        self._wake_in, self._wake_out = socket.socketpair()
        self._thread = threading.Thread(target=self._run, name="wakes", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self) -> None:
        """Begin to listen, on behalf of the running event loop."""
        self._loop = asyncio.get_running_loop()
        self._thread.start()

    def close(self) -> None:
        """Stop listening."""
        self._closed.set()
        self._wake_in.send(b"x")
        if self._thread.is_alive():
            self._thread.join(5)
        self._wake_in.close()
        self._wake_out.close()

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

    def _run(self) -> None:
        while not self._closed.is_set():
            try:
                connection = self._connect()
                try:
                    self._listen(connection)
                finally:
                    connection.close()
            except (psycopg2.Error, ValueError, OSError) as error:
                log.warning("polls are not woken", error=type(error).__name__)
                self._closed.wait(_RECONNECT_SECONDS)

    def _listen(self, connection: Any) -> None:
        with connection.cursor() as cursor, selectors.DefaultSelector() as selector:
            selector.register(connection, selectors.EVENT_READ)
            selector.register(self._wake_out, selectors.EVENT_READ)
            cursor.execute(f"listen {CHANNEL_OPERATIONS}")
            self._ring_for(None)  # what was told before this connection was missed
            while not self._closed.is_set():
                if not selector.select(_ALIVE_SECONDS):
                    cursor.execute("select 1")
                connection.poll()
                for told in connection.notifies:
                    self._ring_for(told.payload)
                connection.notifies.clear()

    def _ring_for(self, operation_id: str | None) -> None:
        loop = self._loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(self._ring, operation_id)

    def _ring(self, operation_id: str | None) -> None:
        told = [operation_id] if operation_id else list(self._waiting)
        for key in told:
            for event in self._waiting.get(key, ()):
                event.set()

"""One thread with one connection that listens to PostgreSQL, whatever becomes of the connection.

What is told saves time only: a lost connection loses what is told meanwhile, so whoever listens looks for himself
when it stands again. The API's wake-ups and the worker's are made of this.
"""

from __future__ import annotations

import selectors
import socket
import threading
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import psycopg2
import structlog

log = structlog.get_logger("listening")
_RECONNECT_SECONDS = 0.5


class Note(NamedTuple):
    """What one NOTIFY said."""

    channel: str
    payload: str


Heard = Callable[[Any, Sequence[Note] | None], None]
"""Called in the listener's thread with the connection's cursor and what was told since the last call.

Nothing was told: it is time to look anyway. None: the connection is new, and what was told before it was missed.
"""


class Listener:
    """Started and closed once. `heard` may use the cursor it is given, quickly, and raise what psycopg2 raises."""

    def __init__(
        self,
        connect: Callable[[], Any],
        channels: Sequence[str],
        heard: Heard,
        *,
        name: str,
        look_seconds: float,
    ) -> None:
        self._connect = connect
        self._listen_to = "; ".join(f"listen {channel}" for channel in channels)
        self._heard = heard
        self._name = name
        self._look_seconds = look_seconds
        self._closed = threading.Event()
        self._wake_in, self._wake_out = socket.socketpair()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()

    @property
    def closing(self) -> bool:
        """Whether it has been told to stop."""
        return self._closed.is_set()

    def release(self) -> None:
        """Tell it to stop, without waiting. Safe in a signal handler's callback."""
        self._closed.set()
        self._wake_in.send(b"x")

    def close(self) -> None:
        """Stop the thread."""
        self.release()
        if self._thread.is_alive():
            self._thread.join(timeout=5)
        self._wake_in.close()
        self._wake_out.close()

    def _run(self) -> None:
        while not self.closing:
            try:
                connection = self._connect()
                try:
                    self._listen(connection)
                finally:
                    connection.close()
            except (psycopg2.Error, ValueError, OSError) as error:
                log.warning("not listening to the database", listener=self._name, kind=type(error).__name__)
                self._closed.wait(_RECONNECT_SECONDS)

    def _listen(self, connection: Any) -> None:
        with connection.cursor() as cursor, selectors.DefaultSelector() as selector:
            selector.register(connection, selectors.EVENT_READ)
            selector.register(self._wake_out, selectors.EVENT_READ)
            cursor.execute(self._listen_to)
            self._heard(cursor, None)
            while not self.closing:
                # What came with the answer to a statement of `heard` is off the wire already: it wakes nobody.
                selector.select(0 if connection.notifies else self._look_seconds)
                connection.poll()
                notes = [Note(told.channel, told.payload) for told in connection.notifies]
                connection.notifies.clear()
                self._heard(cursor, notes)

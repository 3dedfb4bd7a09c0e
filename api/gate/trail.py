"""What is written after an answer, in the background: audit entries of refusals, and when tokens were used.

Entries of what was *done* are written by the services, in the transaction that did it. These here follow within a
moment, several in one transaction, or once the records answer again; those of a process that is killed before that
are lost.
"""

from __future__ import annotations

import queue
import threading
import time
from datetime import UTC, datetime
from typing import Any

import structlog
from sqlalchemy import insert
from sqlalchemy.exc import DataError, IntegrityError, ProgrammingError, SQLAlchemyError

from db.models import AuditEntry
from db.session import Database
from services.access import rates, tokens
from services.access.audit import entry

log = structlog.get_logger("api")
_MOST = 10_000
_AT_ONCE = 500
_GATHER_SECONDS = 0.2
_TIDY_SECONDS = 600.0
_AGAIN_SECONDS = 60.0
_TRY_AGAIN_SECONDS = 1.0
_FOR_GOOD = (DataError, IntegrityError, ProgrammingError, ValueError)
"""Writing the same again would fail again."""


class Trail:
    """One thread and its queue. `close` writes what is left."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._entries: queue.Queue[dict[str, Any] | None] = queue.Queue(_MOST)
        self._used: dict[str, float] = {}
        self._touches: set[str] = set()
        self._lock = threading.Lock()
        self._lost = 0
        self._tidied = time.monotonic()
        self._closing = False
        self._thread = threading.Thread(target=self._write, name="trail", daemon=True)

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def close(self) -> None:
        """Write what is left and end."""
        if self._thread.is_alive():
            self._closing = True
            self._entries.put(None)
            self._thread.join(10)

    def note(self, **values: Any) -> None:
        """One entry, soon. Never waits: a flood that fills the queue is counted instead."""
        try:
            self._entries.put_nowait({"time": datetime.now(UTC), **entry(**values)})
        except queue.Full:
            self._lost += 1

    def used(self, token_id: str) -> None:
        """An API token was shown just now."""
        now = time.monotonic()
        with self._lock:
            if now - self._used.get(token_id, -_AGAIN_SECONDS) >= _AGAIN_SECONDS:
                self._used[token_id] = now
                self._touches.add(token_id)

    def _write(self) -> None:
        waiting: list[dict[str, Any]] = []
        while waiting or not self._closing or not self._entries.empty():
            if len(waiting) < _AT_ONCE:
                waiting += self._gathered()
            else:
                time.sleep(_TRY_AGAIN_SECONDS)
            with self._lock:
                touches, self._touches = self._touches, set()
            waiting = self._left(waiting, touches)
            if self._lost:
                log.error("audit entries are lost", entries=self._lost)
                self._lost = 0

    def _left(self, entries: list[dict[str, Any]], touches: set[str]) -> list[dict[str, Any]]:
        """What could not be written for a reason that passes: it waits until the records answer again."""
        try:
            self._store(entries, touches)
        except (SQLAlchemyError, ValueError) as error:
            log.warning("audit entries are not written", kind=type(error).__name__, entries=len(entries))
            if not self._closing and not isinstance(error, _FOR_GOOD):
                return entries
            self._lost += len(entries)
        return []

    def _gathered(self) -> list[dict[str, Any]]:
        try:
            some = [self._entries.get(timeout=1.0)]
        except queue.Empty:
            return []
        if not self._closing:
            time.sleep(_GATHER_SECONDS)
        while len(some) < _AT_ONCE and not self._entries.empty():
            some.append(self._entries.get_nowait())
        return [one for one in some if one is not None]

    def _store(self, entries: list[dict[str, Any]], touches: set[str]) -> None:
        tidy = time.monotonic() - self._tidied > _TIDY_SECONDS
        if not entries and not touches and not tidy:
            return
        with self._database.begin() as tx:
            if entries:
                tx.run(insert(AuditEntry), entries)
            if touches:
                tokens.touch(tx, touches)
            if tidy:
                rates.forget(tx)
                self._tidied = time.monotonic()

"""The rows of a scope in memory, kept up to date by what changed: hints for comparing, never grounds to write."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from datetime import datetime

from domain.glimpses import Compared, Glimpse, Known, compare
from domain.lifecycle import Health
from domain.work import Observation
from services.watching.fleets import Rows
from services.watching.looks import Watched, Written

_WHOLE_SECONDS = 60.0
"""How often everything is read anew, against whatever a reading of changes could miss."""


class Fleet:
    """`changed` is called with the id of every settled instance that is new or was written by others."""

    def __init__(self, changed: Callable[[str], None]) -> None:
        self._changed = changed
        self._lock = threading.Lock()
        self._rows: dict[str, Known] = {}
        self._since: datetime | None = None
        self._whole_at = float("-inf")

    def __len__(self) -> int:
        return len(self._rows)

    def plan(self) -> tuple[datetime | None, list[str]]:
        """What the next reading is to ask for: changes since when (None: everything), and whose again."""
        with self._lock:
            if self._since is None or time.monotonic() - self._whole_at > _WHOLE_SECONDS:
                return None, []
            return self._since, [row.id for row in self._rows.values() if row.busy]

    def read_anew(self) -> None:
        """Many rows were written at once, without a trace in each."""
        with self._lock:
            self._whole_at = float("-inf")
            for row in self._rows.values():
                row.seen = None

    def take(self, rows: Rows) -> None:
        """Take over what was read."""
        news = []
        with self._lock:
            before = self._rows
            if rows.whole:
                self._rows, self._whole_at = {}, time.monotonic()
            first, self._since = self._since is None, rows.at
            for row in rows.known:
                old = before.get(row.id)
                if old is not None:
                    row.seen = old.seen
                self._rows[row.id] = row
                is_news = old is None or (old.version, old.busy) != (row.version, row.busy)
                if is_news and not row.busy and not first:
                    news.append(row.id)
        for instance_id in news:
            self._changed(instance_id)

    def ids(self, wanted: Callable[[Known], bool]) -> list[str]:
        with self._lock:
            return [row.id for row in self._rows.values() if wanted(row)]

    def forget(self, instance_id: str) -> None:
        """Its record is gone."""
        with self._lock:
            self._rows.pop(instance_id, None)

    def looked(self, before: Watched, found: Observation, written: Written) -> None:
        """What one look has made of it, so that our own write is no news."""
        with self._lock:
            row = self._rows.get(before.id)
            if row is None:
                return
            if written.told is not None and written.version is not None:
                row.version, row.status, row.health = written.version, written.status, written.pulse.health
                row.drift, row.origin = written.drift, written.origin
            row.seen = (found.provider_state, found.provider_id, found.generation, row.version)

    def became_healthy(self, versions: Mapping[str, int]) -> None:
        """What a listing alone has made of them, so that our own write is no news."""
        with self._lock:
            for instance_id, version in versions.items():
                if (row := self._rows.get(instance_id)) is not None:
                    row.version, row.health = version, Health.HEALTHY

    def compare(self, listing: list[Glimpse], absent: frozenset[str]) -> Compared:
        with self._lock:
            return compare(self._rows, listing, absent)

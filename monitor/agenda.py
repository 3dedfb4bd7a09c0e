"""What is to be looked at, and when: one entry per instance, however often it is rung for. For every thread."""

from __future__ import annotations

import heapq
import threading
import time

_HEAD_START = 3600.0
"""What a provider tells of goes before what has only become due, however many of those wait."""


class Agenda:
    """An instance that is being looked at waits for the end of that look."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._due: dict[str, float] = {}
        self._heap: list[tuple[float, str]] = []
        self._under_way: dict[str, float] = {}
        self._everything = False

    def ring(self, instance_id: str | None, after: float = 0.0) -> None:
        """Look at it then, or earlier when it is due earlier. None: compare everything, now."""
        with self._changed:
            if instance_id is None:
                self._everything = True
            else:
                at = time.monotonic() + after
                if at < self._due.get(instance_id, float("inf")):
                    self._due[instance_id] = at
                    heapq.heappush(self._heap, (at, instance_id))
            self._changed.notify_all()

    def told(self, instance_id: str | None) -> None:
        """Its provider says that it changed: look at it before all others. None: compare everything, now."""
        self.ring(instance_id, -_HEAD_START)

    def under_way(self, longer_than: float = 0.0) -> frozenset[str]:
        """What has been looked at for so long, without an end."""
        since = time.monotonic() - longer_than
        with self._changed:
            return frozenset(key for key, began in self._under_way.items() if began <= since)

    def take_everything(self) -> bool:
        """Whether a full comparison was asked for; it is not asked for any more."""
        with self._changed:
            asked, self._everything = self._everything, False
            return asked

    def take(self, most: int) -> list[str]:
        """Those that are due, oldest first; they are under way until `done`."""
        with self._changed:
            taken: list[str] = []
            waiting: list[tuple[float, str]] = []
            now = time.monotonic()
            while self._heap and self._heap[0][0] <= now and len(self._under_way) < most:
                at, instance_id = heapq.heappop(self._heap)
                if self._due.get(instance_id) != at:
                    continue  # it was rung for again, earlier
                if instance_id in self._under_way:
                    waiting.append((at, instance_id))
                    continue
                del self._due[instance_id]
                self._under_way[instance_id] = now
                taken.append(instance_id)
            for entry in waiting:
                heapq.heappush(self._heap, entry)
            return taken

    def done(self, instance_id: str) -> None:
        with self._changed:
            self._under_way.pop(instance_id, None)
            self._changed.notify_all()

    def wait(self, until: float) -> None:
        """Until something is due, a look ends, or that time."""
        with self._changed:
            if self._everything:
                return
            due = self._heap[0][0] if self._heap else float("inf")
            left = min(until, due) - time.monotonic()
            if left > 0 or self._under_way:
                self._changed.wait(max(0.005, left) if left > 0 else 0.05)

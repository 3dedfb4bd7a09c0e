"""Absences that one direct look has seen: they count from the second one on, and not too soon after the first."""

from __future__ import annotations

import time

from domain.observations import decide
from domain.work import Seen
from services.watching.looks import Watched

_LEAST_GAP = 0.5


class Absences:
    """Of one observer; its looks run in several threads, but never two of one instance."""

    def __init__(self) -> None:
        self._first: dict[str, tuple[float, int]] = {}

    def ids(self) -> frozenset[str]:
        return frozenset(self._first.copy())

    def forget(self, instance_id: str) -> None:
        self._first.pop(instance_id, None)

    def ask_again(self, before: Watched, consistency_seconds: float) -> float | None:
        """How much later the look has to be that makes this one proof; None: it is proof, or needs none.

        A provider may take `consistency_seconds` to show what there is.
        """
        if decide(before.status, before.origin, Seen.ABSENT).status is None and before.drift == Seen.ABSENT:
            return None
        now, gap = time.monotonic(), max(_LEAST_GAP, consistency_seconds)
        first, version = self._first.setdefault(before.id, (now, before.version))
        if version != before.version:
            self._first[before.id] = (now, before.version)
        elif now - first >= gap:
            return None
        return gap

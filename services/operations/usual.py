"""When an operation is slower than usual here, by this installation's own finished operations of its kind."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from statistics import quantiles

from sqlalchemy.orm import Session

from db.queries.operations import latest_durations
from domain.lifecycle import Operation

ENOUGH = 5
"""Fewer finished ones say nothing."""
LEAST_SECONDS = 5.0
"""Nobody is told that something is slow before this: twice a tenth of a second is no news."""
_KEEP_SECONDS = 30.0
_MOST_KEYS = 500

Key = tuple[Operation, str, str]


@dataclass
class UsualSlow:
    """A small cache in front of the records: Plan asks in every operation, and the answer changes slowly."""

    _kept: dict[Key, tuple[float, float | None]] = field(default_factory=dict)

    def seconds(self, session: Session, kind: Operation, blueprint: str, provider: str) -> float | None:
        """Twice what 95 of 100 took, after which one is slow; None until enough have finished."""
        key = (kind, blueprint, provider)
        kept = self._kept.get(key)
        if kept is not None and time.monotonic() - kept[0] < _KEEP_SECONDS:
            return kept[1]
        found = [seconds for _, seconds in latest_durations(session, *key)]
        slow = None
        if len(found) >= ENOUGH:
            slow = max(LEAST_SECONDS, 2 * quantiles(found, n=20, method="inclusive")[18])
        if len(self._kept) >= _MOST_KEYS:
            self._kept.clear()
        self._kept[key] = (time.monotonic(), slow)
        return slow

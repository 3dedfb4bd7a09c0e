"""How long an operation usually takes here: p50 and p95 of this installation's own finished operations.

Asked by pages, and by Plan (`services.operations.usual`), which calls twice the latter slow.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from statistics import quantiles
from typing import Any, Generic, TypeVar

from sqlalchemy import Row
from sqlalchemy.orm import Session

from db.queries import operations as queries
from domain.lifecycle import Operation

ENOUGH = 5
"""Fewer finished ones say nothing."""
_KEEP_SECONDS = 5.0
_MOST_KEYS = 500

Key = tuple[Operation, str, str]
"""Kind, blueprint, provider."""
Finished = Sequence[tuple[str, float]]
"""(id, seconds) of the latest that succeeded."""
Times = dict[str, float]
T = TypeVar("T")


@dataclass
class Latest(Generic[T]):
    """A small cache in front of the records: they change slowly, and the same few are asked for all the time."""

    tell: Callable[[Session, Finished], T]
    """What the latest operations of one kind say."""
    keep_seconds: float
    _kept: dict[Key, tuple[float, T | None]] = field(default_factory=dict)

    def of(self, session: Session, key: Key) -> T | None:
        """None until enough have finished."""
        kept = self._kept.get(key)
        if kept is not None and time.monotonic() - kept[0] < self.keep_seconds:
            return kept[1]
        found = queries.latest_durations(session, *key)
        told = self.tell(session, found) if len(found) >= ENOUGH else None
        if len(self._kept) >= _MOST_KEYS:
            self._kept.clear()
        self._kept[key] = (time.monotonic(), told)
        return told


@dataclass(frozen=True)
class Usual:
    """Of one kind, blueprint and provider: the whole, and each step by name."""

    total: Times
    steps: Mapping[str, Times]


@dataclass
class UsualTimes:
    """Asked by pages, for what they show beside an operation."""

    _latest: Latest[Usual] = field(default_factory=lambda: Latest(_look, _KEEP_SECONDS))

    def of(self, session: Session, row: Row[Any]) -> Usual | None:
        """For the kind of `row`; None until there are enough finished ones."""
        return self.of_kind(session, row.kind, row.blueprint, row.provider)

    def of_kind(self, session: Session, kind: Operation, blueprint: str, provider: str) -> Usual | None:
        """For one kind on one blueprint and provider."""
        return self._latest.of(session, (kind, blueprint, provider))


def _look(session: Session, found: Finished) -> Usual:
    seconds: dict[str, list[float]] = {}
    for steps in queries.steps(session, [operation_id for operation_id, _ in found]).values():
        for step in steps:
            spent = _spent(step.attempts)
            if spent is not None:
                seconds.setdefault(step.name, []).append(spent)
    by_step = {name: usual_times(values) for name, values in seconds.items() if len(values) >= ENOUGH}
    return Usual(usual_times([spent for _, spent in found]), by_step)


def _spent(attempts: list[dict[str, Any]]) -> float | None:
    """From the first attempt's begin to the last one's end."""
    if not attempts or not attempts[0].get("started_at") or not attempts[-1].get("ended_at"):
        return None
    begin, end = attempts[0]["started_at"], attempts[-1]["ended_at"]
    return (datetime.fromisoformat(end) - datetime.fromisoformat(begin)).total_seconds()


def usual_times(values: Sequence[float]) -> Times:
    """What half of them took at most, and what 95 of 100 did."""
    cuts = quantiles(values, n=20, method="inclusive")
    return {"p50": round(cuts[9], 3), "p95": round(cuts[18], 3)}

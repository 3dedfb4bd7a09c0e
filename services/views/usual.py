"""How long an operation usually takes here: p50 and p95 of this installation's own finished operations."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from statistics import quantiles
from typing import Any

from sqlalchemy import Row
from sqlalchemy.orm import Session

from db.queries import operations as queries
from domain.lifecycle import Operation

ENOUGH = 5
_KEEP_SECONDS = 5.0
_MOST_KEYS = 500

Key = tuple[Operation, str, str]
Times = dict[str, float]


@dataclass(frozen=True)
class Usual:
    """Of one kind, blueprint and provider: the whole, and each step by name."""

    total: Times
    steps: Mapping[str, Times]


@dataclass
class UsualTimes:
    """A small cache in front of the records: they change slowly and a page asks for the same few."""

    _kept: dict[Key, tuple[float, Usual | None]] = field(default_factory=dict)

    def of(self, session: Session, row: Row[Any]) -> Usual | None:
        """For the kind of `row`; None until there are enough finished ones."""
        return self.of_kind(session, row.kind, row.blueprint, row.provider)

    def of_kind(self, session: Session, kind: Operation, blueprint: str, provider: str) -> Usual | None:
        """For one kind on one blueprint and provider."""
        key = (kind, blueprint, provider)
        kept = self._kept.get(key)
        if kept is not None and time.monotonic() - kept[0] < _KEEP_SECONDS:
            return kept[1]
        usual = _look(session, key)
        if len(self._kept) >= _MOST_KEYS:
            self._kept.clear()
        self._kept[key] = (time.monotonic(), usual)
        return usual


def _look(session: Session, key: Key) -> Usual | None:
    found = queries.latest_durations(session, *key)
    if len(found) < ENOUGH:
        return None
    seconds: dict[str, list[float]] = {}
    for steps in queries.steps(session, [operation_id for operation_id, _ in found]).values():
        for step in steps:
            spent = _spent(step.attempts)
            if spent is not None:
                seconds.setdefault(step.name, []).append(spent)
    by_step = {name: _times(values) for name, values in seconds.items() if len(values) >= ENOUGH}
    return Usual(_times([spent for _, spent in found]), by_step)


def _spent(attempts: list[dict[str, Any]]) -> float | None:
    """From the first attempt's begin to the last one's end."""
    if not attempts or not attempts[0].get("started_at") or not attempts[-1].get("ended_at"):
        return None
    begin, end = attempts[0]["started_at"], attempts[-1]["ended_at"]
    return (datetime.fromisoformat(end) - datetime.fromisoformat(begin)).total_seconds()


def _times(values: list[float]) -> Times:
    cuts = quantiles(values, n=20, method="inclusive")
    return {"p50": round(cuts[9], 3), "p95": round(cuts[18], 3)}

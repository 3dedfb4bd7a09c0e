"""Health: what the last fresh observation says, apart from the status. Three failures, two successes.

Nobody has to live for a health to become unknown: its age tells, computed wherever it is read (`shown`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from domain.lifecycle import IN_PROGRESS, Health, Status
from domain.work import Seen

PROBE_SECONDS = 15.0
"""Between two observations of anything."""
STALE_AFTER = timedelta(seconds=2 * PROBE_SECONDS)
FAILURES, SUCCESSES = 3, 2

_SERVING = frozenset({Status.RUNNING, Status.MAINTENANCE, Status.ERROR})
"""Where it may serve: elsewhere there is nothing to be reached."""
_REASONS = {
    Seen.TRANSIENT: "it is between states",
    Seen.DOWN: "it is down",
    Seen.CRASHED: "it crashed",
    Seen.ABSENT: "its object is gone",
    Seen.FOREIGN: "another object stands in its place",
}
_NOTHING = "there is nothing of it"


def shown(health: Health, checked_at: datetime | None, status: Status, now: datetime) -> Health:
    """What a reader may believe of a stored health."""
    if checked_at is None or status in IN_PROGRESS or now - checked_at > STALE_AFTER:
        return Health.UNKNOWN
    return health


@dataclass(frozen=True)
class Evidence:
    """Towards which health one observation speaks. `certain`: no second one is needed."""

    towards: Health
    reason: str | None = None
    certain: bool = False


def evidence_of(status: Status, seen: Seen, detail: str | None, complaint: str | None = None) -> Evidence | None:
    """`complaint`: what a probe of something that is up found wrong. None: nothing was learnt."""
    if seen is Seen.NO_EVIDENCE or status in IN_PROGRESS:
        return None
    if status not in _SERVING:
        return Evidence(Health.UNKNOWN, f"it is {status.value}", certain=True)
    if status is Status.ERROR and seen is Seen.ABSENT:
        return Evidence(Health.UNKNOWN, _NOTHING, certain=True)  # its error says why
    if seen is Seen.UP:
        return Evidence(Health.HEALTHY) if complaint is None else Evidence(Health.UNREACHABLE, complaint)
    if seen is Seen.TRANSIENT:
        return Evidence(Health.DEGRADED, detail or _REASONS[seen])
    return Evidence(Health.UNREACHABLE, detail or _REASONS[seen], certain=True)


@dataclass(frozen=True)
class Pulse:
    """A health, and how many observations in a row spoke against it, all towards the same other one."""

    health: Health
    towards: Health | None = None
    count: int = 0

    @property
    def steady(self) -> bool:
        return self.count == 0

    def after(self, evidence: Evidence) -> Pulse:
        """With one more observation."""
        towards = evidence.towards
        if towards is self.health:
            return Pulse(self.health)
        count = self.count + 1 if _same_way(self.towards, towards) else 1
        if evidence.certain or count >= self._needed(towards):
            return Pulse(towards)
        return Pulse(self.health, towards, count)

    def _needed(self, towards: Health) -> int:
        if towards is not Health.HEALTHY:
            return FAILURES
        return 1 if self.health is Health.UNKNOWN else SUCCESSES


def _same_way(before: Health | None, now: Health) -> bool:
    """Degraded and unreachable are both failures."""
    return before is not None and (before is Health.HEALTHY) == (now is Health.HEALTHY)

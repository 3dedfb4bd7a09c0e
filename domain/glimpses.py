"""What a listing of a whole provider tells beside the records: what to look at, what is stray, what is an outage.

Pure. A listing decides nothing by itself: it names the instances that deserve a direct look.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from domain.health import evidence_of
from domain.lifecycle import Health, Status
from domain.observations import agrees, decide
from domain.operations import ErrorOrigin
from domain.work import Seen

OUTAGE_SHARE, OUTAGE_LEAST = 0.2, 3
"""A listing that loses more than this share of what it should show, and at least so many, is not believed."""


class Glimpse(NamedTuple):
    """One object in a listing. `seen` may be coarser than a direct look: down also stands for crashed."""

    instance_id: str
    seen: Seen
    state: str
    provider_id: str | None = None
    generation: int | None = None
    whole: bool = True
    """Whether a direct look would find no more of what is up."""


@dataclass(slots=True)
class Known:
    """An instance as the records had it a moment ago."""

    id: str
    status: Status
    origin: ErrorOrigin | None
    busy: bool
    version: int
    health: Health
    drift: str | None
    generation: int
    provider_id: str | None
    seen: tuple[str, str | None, int | None, int] | None = None
    """State, object, generation and version at the last direct look: the same again is no news."""


@dataclass
class Compared:
    """`look`: ids that deserve a direct look. `missing`: those of them that the listing lacks. `first`: by
    state, what is up as it should be while nobody knows its health; no look would tell more."""

    look: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    first: dict[str, list[Known]] = field(default_factory=dict)
    strays: list[Glimpse] = field(default_factory=list)
    steady: int = 0
    expected: int = 0

    @property
    def outage(self) -> bool:
        """Whether so much is missing at once that the listing itself is to be doubted."""
        lost = len(self.missing)
        return lost >= OUTAGE_LEAST and lost > OUTAGE_SHARE * self.expected


_EXPECTED = frozenset({Status.RUNNING, Status.STOPPED, Status.SUSPENDED, Status.MAINTENANCE})


def compare(
    rows: Mapping[str, Known], listing: Sequence[Glimpse], absent: frozenset[str] = frozenset()
) -> Compared:
    """`absent`: a direct look has missed them already; they are not lost by this listing."""
    found = Compared()
    twins: set[str] = set()
    there: dict[str, Glimpse] = {}
    for glimpse in listing:
        if glimpse.instance_id in there:
            twins.add(glimpse.instance_id)
        there[glimpse.instance_id] = glimpse
        if glimpse.instance_id not in rows:
            found.strays.append(glimpse)
    for row in rows.values():
        if row.busy:
            continue
        seen = there.get(row.id)
        if seen is None:
            _note_missing(found, row, absent)
            continue
        found.expected += 1
        if row.id not in twins and _is_first(row, seen):
            found.first.setdefault(seen.state, []).append(row)
        elif row.id in twins or not _is_steady(row, seen):
            found.look.append(row.id)
        else:
            found.steady += 1
    return found


def _note_missing(found: Compared, row: Known, absent: frozenset[str]) -> None:
    if row.status not in _EXPECTED or row.drift == Seen.ABSENT.value:
        found.steady += 1
    elif row.id in absent:
        found.look.append(row.id)
    else:
        found.expected += 1
        found.look.append(row.id)
        found.missing.append(row.id)


def _is_first(row: Known, seen: Glimpse) -> bool:
    return seen.whole and row.health is Health.UNKNOWN and _runs_as_asked(row, seen)


def _runs_as_asked(row: Known, seen: Glimpse) -> bool:
    return (
        row.status is Status.RUNNING
        and seen.seen is Seen.UP
        and row.drift is None
        and (seen.generation is None or seen.generation == row.generation)
    )


def _is_steady(row: Known, seen: Glimpse) -> bool:
    if row.health is Health.HEALTHY and _runs_as_asked(row, seen):
        return True
    if row.seen == (seen.state, seen.provider_id, seen.generation, row.version):
        return True
    if seen.generation is not None and seen.generation != row.generation:
        return False
    if not agrees(decide(row.status, row.origin, seen.seen), seen.seen, row.drift):
        return False
    evidence = evidence_of(row.status, seen.seen, None)
    return evidence is None or evidence.towards is row.health

"""What an observation may do to a status: one table over its whole domain, decided purely, written elsewhere.

Rows are what the records say, columns what was seen. A live operation owns every status in progress, so those rows
are empty: whatever is seen, they keep what they have. docs/monitor.md shows the table, made from here.
"""

from __future__ import annotations

from dataclasses import dataclass

from domain.lifecycle import IN_PROGRESS, Status
from domain.operations import ErrorOrigin
from domain.work import Seen


@dataclass(frozen=True)
class Verdict:
    """`status` None: keep it. `drift`: reality differs from what is kept; said once. `stop_again`: it runs against
    a hold: people are alerted and it is stopped. `report`: no living record; it is shown as an orphan."""

    status: Status | None = None
    drift: bool = False
    stop_again: bool = False
    report: bool = False


KEEP = Verdict()
DRIFT = Verdict(drift=True)
REPORT = Verdict(report=True)


def _to(status: Status) -> Verdict:
    return Verdict(status)


_S = Status
_TABLE: dict[tuple[Status, ErrorOrigin | None], dict[Seen, Verdict]] = {
    (_S.RUNNING, None): {
        Seen.DOWN: _to(_S.STOPPED),
        Seen.CRASHED: _to(_S.ERROR),
        Seen.ABSENT: _to(_S.ERROR),
        Seen.FOREIGN: DRIFT,
    },
    (_S.STOPPED, None): {Seen.UP: _to(_S.RUNNING), Seen.ABSENT: _to(_S.ERROR), Seen.FOREIGN: DRIFT},
    (_S.ERROR, ErrorOrigin.MONITOR): {
        Seen.UP: _to(_S.RUNNING),
        Seen.DOWN: _to(_S.STOPPED),
        Seen.FOREIGN: DRIFT,
    },
    (_S.ERROR, ErrorOrigin.OPERATION): {Seen.UP: DRIFT, Seen.DOWN: DRIFT, Seen.FOREIGN: DRIFT},
    (_S.SUSPENDED, None): {
        Seen.UP: Verdict(drift=True, stop_again=True),
        Seen.TRANSIENT: DRIFT,
        Seen.ABSENT: DRIFT,
        Seen.FOREIGN: DRIFT,
    },
    (_S.MAINTENANCE, None): {
        Seen.UP: DRIFT,
        Seen.DOWN: DRIFT,
        Seen.CRASHED: DRIFT,
        Seen.ABSENT: DRIFT,
        Seen.FOREIGN: DRIFT,
    },
}
_NOTHING_THERE = frozenset({Seen.ABSENT, Seen.NO_EVIDENCE})


def decide(status: Status | None, origin: ErrorOrigin | None, seen: Seen, *, busy: bool = False) -> Verdict:
    """What `seen` means. `status` None: no record lives. `busy`: an operation of its deployment is unfinished."""
    if status is None or status is Status.TERMINATED:
        return KEEP if seen in _NOTHING_THERE else REPORT
    if busy or status in IN_PROGRESS:
        return KEEP
    whose = (origin or ErrorOrigin.OPERATION) if status is Status.ERROR else None
    return _TABLE[status, whose].get(seen, KEEP)


def agrees(verdict: Verdict, seen: Seen, told: str | None) -> bool:
    """Whether nothing is to be written of it. `told`: the drift that was said before."""
    if verdict.status is not None:
        return False
    return told == seen.value if verdict.drift else told is None or seen in _LEAVES_DRIFT


_LEAVES_DRIFT = frozenset({Seen.NO_EVIDENCE, Seen.TRANSIENT})
"""What is no proof that a drift is over."""


def drift_after(verdict: Verdict, seen: Seen, told: str | None) -> str | None:
    """The drift to remember: said once, until something else is seen."""
    if verdict.drift:
        return seen.value
    return told if seen in _LEAVES_DRIFT else None

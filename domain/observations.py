"""What an observation may do to a settled status: one table, decided purely, written by compare-and-set.

A live operation owns every in-progress status, so the table has no row for those: they are never touched.
"""

from __future__ import annotations

from dataclasses import dataclass

from domain.lifecycle import Status
from domain.operations import ErrorOrigin
from domain.work import Seen


@dataclass(frozen=True)
class Verdict:
    """`status` None: keep it. `drift`: reality differs from what is kept; said once."""

    status: Status | None = None
    drift: bool = False


KEEP = Verdict()
DRIFT = Verdict(drift=True)


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
        Seen.UP: DRIFT,
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


def decide(status: Status, origin: ErrorOrigin | None, seen: Seen) -> Verdict:
    """What `seen` means for an instance that no operation owns."""
    key = (status, origin if status is Status.ERROR else None)
    return _TABLE.get(key, {}).get(seen, KEEP)

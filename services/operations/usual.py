"""When an operation is slower than usual here, by this installation's own finished operations of its kind."""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlalchemy.orm import Session

from domain.lifecycle import Operation
from services.views.usual import Finished, Latest, usual_times

LEAST_SECONDS = 5.0
"""Nobody is told that something is slow before this: twice a tenth of a second is no news."""
_KEEP_SECONDS = 30.0


@dataclass
class UsualSlow:
    """Plan asks in every operation, and the answer changes slowly."""

    _latest: Latest[float] = field(default_factory=lambda: Latest(_slow, _KEEP_SECONDS))

    def seconds(self, session: Session, kind: Operation, blueprint: str, provider: str) -> float | None:
        """Twice what 95 of 100 took, after which one is slow; None until enough have finished."""
        return self._latest.of(session, (kind, blueprint, provider))


def _slow(_session: Session, found: Finished) -> float:
    return max(LEAST_SECONDS, 2 * usual_times([seconds for _, seconds in found])["p95"])

"""What the looks of one wait add up to: the end state is shown, the object is gone for good, or neither yet."""

from __future__ import annotations

from enum import Enum, auto

from domain.limits import ABSENCE_SECONDS
from domain.work import Observation, Seen

_SHORTEST = 0.05


class Verdict(Enum):
    """`SHOWN`: what was waited for is proven. `GONE`: something else was waited for, and nothing is there."""

    SHOWN = auto()
    GONE = auto()
    OPEN = auto()


class Proof:
    """Fed with looks and the time, in order. Asks nothing itself, so that it can be tested without waiting.

    An absence that a provider is not certain of counts when it is seen again after `consistency_seconds` with
    nothing else seen between; no evidence neither proves nor disproves anything.
    """

    def __init__(self, wanted: Seen, consistency_seconds: float) -> None:
        self._wanted = wanted
        self._consistency = consistency_seconds
        self._gone_after = max(ABSENCE_SECONDS, consistency_seconds)
        self._absent_since: float | None = None
        self.blind = True
        """Whether no look has shown anything yet."""
        self.looks = 0

    def add(self, look: Observation, now: float) -> Verdict:
        """What is known after this look at the time `now`."""
        self.looks += 1
        if look.seen is Seen.NO_EVIDENCE:
            return Verdict.OPEN
        self.blind = False
        if look.seen is not Seen.ABSENT:
            self._absent_since = None
            return Verdict.SHOWN if look.seen is self._wanted else Verdict.OPEN
        since = self._absent_since = now if self._absent_since is None else self._absent_since
        if self._wanted is not Seen.ABSENT:
            return Verdict.GONE if now - since >= self._gone_after else Verdict.OPEN
        certain = look.certain or (now > since and now - since >= self._consistency)
        return Verdict.SHOWN if certain else Verdict.OPEN

    def wait(self, poll_seconds: float, now: float) -> float:
        """How long until the next look helps: sooner than the usual turn where an absence is to be proven."""
        if self._absent_since is None:
            return poll_seconds
        window = self._consistency if self._wanted is Seen.ABSENT else self._gone_after
        return max(_SHORTEST, min(poll_seconds, self._absent_since + window - now))

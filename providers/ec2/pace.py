"""How fast Berth asks EC2: steady slots that widen when EC2 says "too many" and narrow again as it answers.

One `Pace` per kind of request, shared by all threads. EC2's own buckets are per account and region, so that other
users of the account are felt here too.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from domain.errors import ProviderError, ProviderErrorKind

_SLOWEST = 0.5
_SLOWER = 0.7
_FASTER = 1.03
_SLOW_DOWN_EVERY = 1.0
"""Requests that were under way together are refused together: that is one sign, not many."""


class Pace:
    def __init__(self, per_second: float, burst: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = per_second
        self._rate = per_second
        self._burst = burst
        self._clock = clock
        self._lock = threading.Lock()
        self._next = float("-inf")
        self._slowed_at = float("-inf")

    @property
    def per_second(self) -> float:
        return self._rate

    def wait(self, patience: float, sleep: Callable[[float], None]) -> None:
        """Until it is this caller's turn. Raises THROTTLED, without a slot, when that is further off than
        `patience` seconds; a turn that has come is taken, however late the caller comes to it."""
        with self._lock:
            now = self._clock()
            turn = max(self._next, now - (self._burst - 1) / self._rate)
            delay = turn - now
            if delay > max(0.0, patience):
                raise ProviderError(
                    ProviderErrorKind.THROTTLED,
                    f"EC2 throttles this account; {self._rate:.1f} such requests per second get through",
                    retry_after=round(delay, 1),
                )
            self._next = turn + 1 / self._rate
        if delay > 0:
            sleep(delay)

    def throttled(self) -> None:
        """EC2 refused one: fewer from now on, and no burst."""
        with self._lock:
            now = self._clock()
            if now - self._slowed_at >= _SLOW_DOWN_EVERY:
                self._slowed_at = now
                self._rate = max(_SLOWEST, self._rate * _SLOWER)
            self._next = max(self._next, now + 1 / self._rate)

    def answered(self) -> None:
        with self._lock:
            self._rate = min(self._most, self._rate * _FASTER)

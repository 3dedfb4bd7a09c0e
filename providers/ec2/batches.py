"""Questions that are asked at about the same time go out as one request: two hundred waiting creates cost a few
calls per second."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Generic, TypeVar

from domain.errors import BerthError, ProviderError, ProviderErrorKind

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

_LONGEST_WAIT = 60.0


class _Round(Generic[K, V]):
    def __init__(self) -> None:
        self.keys: set[K] = set()
        self.full = threading.Event()
        self.done = threading.Event()
        self.found: Mapping[K, V] = {}
        self.error: BerthError | None = None


class Batch(Generic[K, V]):
    """`ask` joins the round that is gathering; whoever opened it asks for everybody.

    The request begins after the question: an answer is never older than it. `fetch` leaves out what there is not.
    """

    def __init__(self, fetch: Callable[[Sequence[K]], Mapping[K, V]], size: int, gather: float = 0.1) -> None:
        self._fetch = fetch
        self._size = size
        self._gather = gather
        self._lock = threading.Lock()
        self._open: _Round[K, V] | None = None

    def ask(self, key: K) -> V | None:
        with self._lock:
            mine, leads = self._open, False
            if mine is None:
                mine, leads = _Round[K, V](), True
                self._open = mine
            mine.keys.add(key)
            if len(mine.keys) >= self._size:
                self._open = None
                mine.full.set()
        if leads:
            self._lead(mine)
        elif not mine.done.wait(_LONGEST_WAIT):
            raise ProviderError(ProviderErrorKind.TRANSIENT, "a look at EC2 took too long")
        if mine.error is not None:
            raise mine.error.with_traceback(None)
        return mine.found.get(key)

    def _lead(self, mine: _Round[K, V]) -> None:
        mine.full.wait(self._gather)
        with self._lock:
            if self._open is mine:
                self._open = None
        try:
            mine.found = self._fetch(sorted(mine.keys, key=str))
        except BerthError as error:
            mine.error = error
        except BaseException:
            mine.error = ProviderError(ProviderErrorKind.TRANSIENT, "a look at EC2 failed")
            raise
        finally:
            mine.done.set()

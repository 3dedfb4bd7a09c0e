"""A provider behind its identity: what is not the recorded place is neither changed nor believed.

A container engine whose data was swapped, another cluster, another account: none of them shows what Berth made,
and taking that for "gone" would lose it. Every activity sees its provider through this.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from domain.errors import ProviderError
from domain.work import Call, InventoryItem, Observation, Outcome, Seen, Work
from providers.base import Provider

PLACE_SWAPPED = "provider-swapped"
Check = Callable[[bool], None]
"""Raises `ProviderError` where the provider is another place than recorded. True: ask the provider now."""


class GuardedProvider:
    """`inner`, with the same verbs."""

    def __init__(self, inner: Provider, check: Check) -> None:
        self.inner = inner
        self._check = check
        self.name = inner.name
        self.probes = inner.probes
        self.needs_port = inner.needs_port
        self.consistency_seconds = inner.consistency_seconds
        self.poll_seconds = inner.poll_seconds

    def identity(self) -> str:
        return self.inner.identity()

    def create(self, work: Work, call: Call) -> Outcome:
        self._check(False)
        return self.inner.create(work, call)

    def start(self, work: Work, call: Call) -> Outcome:
        self._check(False)
        return self.inner.start(work, call)

    def stop(self, work: Work, call: Call) -> Outcome:
        self._check(False)
        return self.inner.stop(work, call)

    def restart(self, work: Work, call: Call) -> Outcome:
        self._check(False)
        return self.inner.restart(work, call)

    def modify(self, work: Work, call: Call) -> Outcome:
        self._check(False)
        return self.inner.modify(work, call)

    def delete(self, work: Work, call: Call) -> Outcome:
        """Finding nothing is success here, so the place is asked first which one it is."""
        self._check(True)
        return self.inner.delete(work, call)

    def observe(self, work: Work) -> Observation:
        """An absence counts only from the recorded place."""
        try:
            self._check(False)
            look = self.inner.observe(work)
            if look.seen is Seen.ABSENT:
                self._check(True)
        except ProviderError as error:
            if error.code != PLACE_SWAPPED and not error.retryable:
                raise
            return Observation(Seen.NO_EVIDENCE, "unknown", detail=error.message)
        return look

    def inner_address(self, work: Work) -> tuple[str, int]:
        return self.inner.inner_address(work)

    def inventory(self) -> Sequence[InventoryItem]:
        """Read as all that there is, so the place is asked first which one it is."""
        self._check(True)
        return self.inner.inventory()

    def remove(self, provider_id: str, call: Call) -> None:
        self._check(True)
        self.inner.remove(provider_id, call)

    def logs(self, work: Work, tail: int) -> Sequence[str]:
        return self.inner.logs(work, tail)

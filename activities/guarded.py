"""A provider behind its identity: what is not the recorded place is neither changed nor believed.

A container engine whose data was swapped, another cluster, another account: none of them shows what Berth made,
and taking that for "gone" would lose it. Every activity sees its provider through this.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager

from activities.meters import provider_call
from domain.errors import ProviderError
from domain.glimpses import Glimpse
from domain.work import Call, InventoryItem, Observation, Outcome, Seen, Work
from providers.base import Bell, Provider

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
        self.glance_seconds = inner.glance_seconds

    def identity(self) -> str:
        return self.inner.identity()

    def create(self, work: Work, call: Call) -> Outcome:
        self._check(False)
        with self._told("create", work):
            return self.inner.create(work, call)

    def start(self, work: Work, call: Call) -> Outcome:
        self._check(False)
        with self._told("start", work):
            return self.inner.start(work, call)

    def stop(self, work: Work, call: Call) -> Outcome:
        self._check(False)
        with self._told("stop", work):
            return self.inner.stop(work, call)

    def restart(self, work: Work, call: Call) -> Outcome:
        self._check(False)
        with self._told("restart", work):
            return self.inner.restart(work, call)

    def modify(self, work: Work, call: Call) -> Outcome:
        self._check(False)
        with self._told("modify", work):
            return self.inner.modify(work, call)

    def delete(self, work: Work, call: Call) -> Outcome:
        """Finding nothing is success here, so the place is asked first which one it is."""
        self._check(True)
        with self._told("delete", work):
            return self.inner.delete(work, call)

    def observe(self, work: Work) -> Observation:
        """An absence counts only from the recorded place."""
        try:
            self._check(False)
            with self._told("observe", work):
                look = self.inner.observe(work)
            if look.seen is Seen.ABSENT:
                self._check(True)
        except ProviderError as error:
            if error.code != PLACE_SWAPPED and not error.retryable:
                raise
            return Observation(Seen.NO_EVIDENCE, "unknown", detail=error.message)
        return look

    def glance(self) -> Sequence[Glimpse]:
        """What it lacks may be taken for gone, so the place is asked first which one it is."""
        self._check(True)
        return self.inner.glance()

    def watch(self, bell: Bell) -> None:
        self._check(False)
        self.inner.watch(bell)

    def inner_address(self, work: Work) -> tuple[str, int]:
        return self.inner.inner_address(work)

    def inventory(self) -> Sequence[InventoryItem]:
        """Read as all that there is, so the place is asked first which one it is."""
        self._check(True)
        with provider_call(self.name, "inventory"):
            return self.inner.inventory()

    def remove(self, provider_id: str, call: Call) -> None:
        self._check(True)
        with provider_call(self.name, "remove"):
            self.inner.remove(provider_id, call)

    def logs(self, work: Work, tail: int) -> Sequence[str]:
        return self.inner.logs(work, tail)

    def _told(self, verb: str, work: Work) -> AbstractContextManager[None]:
        return provider_call(self.name, verb, instance=work.instance_id)

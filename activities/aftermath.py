"""What follows an operation that did not end well: remove what a create has made, or look at what is left."""

from __future__ import annotations

import time

from temporalio import activity

from activities.calls import ActivityCall, in_thread, seconds_left
from activities.contracts import StepInput
from activities.failures import as_temporal_failures
from activities.loading import load, owner_of, provider_of
from activities.parts import Parts
from activities.proof import Proof, Verdict
from domain.errors import ProviderError, ProviderErrorKind
from domain.work import Seen
from services.operations.fence import Owner
from services.operations.generations import raise_generation
from services.operations.steps import StepWork, begin_after

_MARGIN_SECONDS = 5.0
"""Of the clean-up's time, for a last look and the records."""


class AftermathActivities:
    """Composed by the worker, like `InstanceActivities`."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    @activity.defn
    async def clean_up_instance(self, given: StepInput) -> list[str]:
        """Remove what a failed or cancelled create has made; returns what was removed, in words.

        Its end is proof: with the same transaction the next object becomes another one.
        """
        owner = owner_of(given.owner)
        call = ActivityCall(self._parts.database, owner, given.instance_id, cleaning=True)
        deadline = time.monotonic() + seconds_left() - _MARGIN_SECONDS

        def clean() -> list[str]:
            step = load(self._parts, begin_after, owner, given.instance_id)
            if step.settled:  # it was confirmed just before the cancel arrived: it is running, and stays
                return []
            self._remove(step, call, deadline)
            self._forget_object(owner, step)
            return [f"the {step.provider} object of {step.work.name}"]

        with as_temporal_failures():
            return await in_thread(self._parts.pool, call, clean)

    @activity.defn
    async def look_at_instance(self, given: StepInput) -> str:
        """One look at what a cancelled operation left, in the words of the observation table."""
        owner = owner_of(given.owner)
        call = ActivityCall(self._parts.database, owner, given.instance_id, cleaning=True)

        def look() -> str:
            step = load(self._parts, begin_after, owner, given.instance_id)
            return provider_of(self._parts, step).observe(step.work).seen.value

        with as_temporal_failures():
            return await in_thread(self._parts.pool, call, look)

    def _remove(self, step: StepWork, call: ActivityCall, deadline: float) -> None:
        """Delete, and wait for the proof where the provider has only accepted it."""
        provider = provider_of(self._parts, step)
        if provider.delete(step.work, call).confirmed:
            return
        proof = Proof(Seen.ABSENT, provider.consistency_seconds)
        while True:
            look = provider.observe(step.work)
            now = time.monotonic()
            if proof.add(look, now) is Verdict.SHOWN:
                return
            if now > deadline:
                shown = look.detail or f"its provider shows it {look.provider_state}"
                raise ProviderError(
                    ProviderErrorKind.NOT_READY, f"{step.work.name} was told to go and is not gone yet: {shown}"
                )
            call.sleep(proof.wait(provider.poll_seconds, now))

    def _forget_object(self, owner: Owner, step: StepWork) -> None:
        with self._parts.database.begin() as tx:
            raise_generation(tx, owner, step.work.identity)

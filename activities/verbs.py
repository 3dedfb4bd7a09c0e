"""What the verbs of a step do with one instance: the provider's call, and what belongs to it before and after.

Called by `activities.instances` inside an attempt, in a thread.
"""

from __future__ import annotations

import time
from dataclasses import replace

from activities.calls import ActivityCall
from activities.loading import blueprint_of, load, provider_of
from activities.parts import Parts
from blueprints.base import Blueprint
from domain.errors import EndedByItself, ProviderError, ProviderErrorKind
from domain.lifecycle import Operation, Status
from domain.text import printable
from domain.work import Outcome, Seen, Work
from providers.base import PreviousGone, Provider
from providers.registry import budget
from services.operations.fence import Owner
from services.operations.generations import raise_generation
from services.operations.ports import allocate_port
from services.operations.steps import StepWork, ensure_secrets, load_step

_PROBE_EVERY = 0.05
_MOST_GENERATIONS = 3


class Verbs:
    """One method per verb; each returns what was achieved."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def create(self, step: StepWork, call: ActivityCall) -> Outcome:
        """Secrets, a port where it needs one, the object, and the wait until it serves."""
        provider, blueprint, work = provider_of(self._parts, step), blueprint_of(self._parts, step), step.work
        if fresh := blueprint.new_secrets():
            with self._parts.database.begin() as tx:
                work = replace(work, secrets=ensure_secrets(tx, self._parts.vault, work.instance_id, fresh))
        outcome, work = self._made(provider, work, call)
        return self._ready(provider, blueprint, work, outcome, call)

    def start(self, step: StepWork, call: ActivityCall) -> Outcome:
        provider = provider_of(self._parts, step)
        outcome = provider.start(step.work, call)
        return self._ready(provider, blueprint_of(self._parts, step), step.work, outcome, call)

    def stop(self, step: StepWork, call: ActivityCall) -> Outcome:
        return provider_of(self._parts, step).stop(step.work, call)

    def suspend(self, step: StepWork, call: ActivityCall) -> Outcome:
        """Stop it. Where nothing was ever made, or what was made is gone, there is nothing to stop."""
        provider = provider_of(self._parts, step)
        try:
            return provider.stop(step.work, call)
        except ProviderError as error:
            if error.kind is not ProviderErrorKind.NOT_FOUND:
                raise
            look = provider.observe(step.work)
            if look.seen is not Seen.ABSENT:
                raise
            return Outcome(True, look.provider_state, note="there was nothing to stop")

    def unsuspend(self, step: StepWork, call: ActivityCall) -> Outcome:
        """Start what ran before the suspension; of the rest only see that it is down."""
        return self.start(step, call) if step.resumes_up else self.suspend(step, call)

    def restart(self, step: StepWork, call: ActivityCall) -> Outcome:
        provider = provider_of(self._parts, step)
        outcome = provider.restart(step.work, call)
        return self._ready(provider, blueprint_of(self._parts, step), step.work, outcome, call)

    def modify(self, step: StepWork, call: ActivityCall) -> Outcome:
        """Rewrite and reload; restart when the running instance says that the change needs it; start what is down.

        What was stopped stays so; from `error` a modify ends in `running`.
        """
        provider, blueprint = provider_of(self._parts, step), blueprint_of(self._parts, step)
        outcome = provider.modify(step.work, call)
        if not outcome.confirmed or not (provider.probes or step.before == Status.ERROR):
            return outcome
        running = provider.observe(step.work).seen is Seen.UP
        if running and provider.probes and blueprint.needs_restart(step.work):
            call.progress("the change needs a restart")
            outcome = provider.restart(step.work, call)
        elif not running and step.before != Status.STOPPED:
            outcome = provider.start(step.work, call)
        elif not running:
            return outcome
        return self._ready(provider, blueprint, step.work, outcome, call)

    def delete(self, step: StepWork, call: ActivityCall) -> Outcome:
        return provider_of(self._parts, step).delete(step.work, call)

    def _made(self, provider: Provider, work: Work, call: ActivityCall) -> tuple[Outcome, Work]:
        """Create; in another generation where the object of this one is proven gone for good."""
        for _ in range(_MOST_GENERATIONS):
            try:
                return self._made_on_port(provider, work, call)
            except PreviousGone as gone:
                call.progress(gone.message)
                work = self._next_generation(work, call)
        return self._made_on_port(provider, work, call)

    def _next_generation(self, work: Work, call: ActivityCall) -> Work:
        owner, attempt = _owner(call), call.attempt
        assert attempt is not None
        with self._parts.database.begin() as tx:
            raise_generation(tx, owner, work.identity, attempt)
        return replace(load(self._parts, load_step, owner, work.instance_id).work, secrets=work.secrets)

    def _made_on_port(self, provider: Provider, work: Work, call: ActivityCall) -> tuple[Outcome, Work]:
        """Create, on another port where the one drawn turns out to be in use by a stranger."""
        if not provider.needs_port:
            return provider.create(work, call), work
        refused: list[int] = []
        while True:
            with self._parts.database.begin() as tx:
                port, fixed = allocate_port(tx, _owner(call), work.instance_id, self._parts.ports, refused)
            placed = replace(work, port=port)
            try:
                return provider.create(placed, call), placed
            except ProviderError as error:
                if error.code != "port-taken" or fixed:
                    raise
                refused.append(port)

    def _ready(
        self, provider: Provider, blueprint: Blueprint, work: Work, outcome: Outcome, call: ActivityCall
    ) -> Outcome:
        """Running means that it serves: wait for the readiness probe."""
        if not outcome.confirmed or not provider.probes:
            return outcome
        deadline = time.monotonic() + budget(provider.name, Operation.START).attempt
        while True:
            try:
                blueprint.prepare(work, call)
                blueprint.probe(work, timeout_seconds=3.0)
            except ProviderError as error:
                if error.kind is not ProviderErrorKind.NOT_READY or time.monotonic() > deadline:
                    raise
                self._still_up(provider, work, error)
                call.progress(f"waiting until it serves: {error.message}")
                call.sleep(_PROBE_EVERY)
            else:
                endpoint = blueprint.endpoint(work) if work.port else None
                return replace(outcome, endpoint=endpoint or outcome.endpoint)

    def _still_up(self, provider: Provider, work: Work, why: ProviderError) -> None:
        """Do not wait for something that has died."""
        look = provider.observe(work)
        if look.seen in {Seen.DOWN, Seen.CRASHED, Seen.ABSENT}:
            tail = work.masked(printable(work.masked("; ".join(provider.logs(work, 3)))))
            raise EndedByItself(
                f"{work.name} stopped before it served ({look.detail or look.provider_state}); "
                f"last output: {tail or why.message}",
            )


def _owner(call: ActivityCall) -> Owner:
    assert call.owner is not None
    return call.owner

"""The activities that act on one instance through its provider. Each loads its work from the operation id.

Every one is idempotent: run twice, or killed at any point and run again, one object exists. The order inside an
attempt is always: fence and work (one transaction), the provider's verb, the readiness probe, settle (one
transaction).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from temporalio import activity

from activities.calls import ActivityCall, in_thread
from activities.contracts import OwnerInput, StepInput, StepResult
from activities.failures import as_temporal_failures
from activities.parts import Parts
from blueprints.base import Blueprint
from domain.errors import AttemptOver, BerthError, FenceLost, ProviderError, ProviderErrorKind
from domain.lifecycle import Operation, Status
from domain.limits import ABSENCE_SECONDS
from domain.work import Observation, Outcome, Seen, Work
from providers.base import Provider
from providers.registry import budget
from services.confirmations import claimed
from services.fence import Owner
from services.ports import allocate_port
from services.settlement import Evidence, accept_step, settle_step
from services.steps import StepWork, begin_after, begin_step, end_attempt, ensure_secrets, load_step

_PROBE_EVERY = 0.05
_WANTED = {
    Operation.CREATE: Seen.UP,
    Operation.START: Seen.UP,
    Operation.RESTART: Seen.UP,
    Operation.STOP: Seen.DOWN,
    Operation.DELETE: Seen.ABSENT,
}


class InstanceActivities:
    """Composed by the worker: records, keys, and the providers and blueprints that it serves."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    @activity.defn
    async def create_instance(self, given: StepInput) -> StepResult:
        """Make one instance exist and serve."""
        return await self._attempt(given, self._create)

    @activity.defn
    async def start_instance(self, given: StepInput) -> StepResult:
        """Make one stopped instance serve again."""
        return await self._attempt(given, self._start)

    @activity.defn
    async def stop_instance(self, given: StepInput) -> StepResult:
        """Stop one instance cleanly."""
        return await self._attempt(given, lambda step, call: self._provider(step).stop(step.work, call))

    @activity.defn
    async def restart_instance(self, given: StepInput) -> StepResult:
        """Stop and start one instance."""
        return await self._attempt(given, self._restart)

    @activity.defn
    async def modify_instance(self, given: StepInput) -> StepResult:
        """Bring one instance to the operation's spec, with a restart only where the instance demands it."""
        return await self._attempt(given, self._modify)

    @activity.defn
    async def delete_instance(self, given: StepInput) -> StepResult:
        """Remove one instance and its data."""
        return await self._attempt(given, lambda step, call: self._provider(step).delete(step.work, call))

    @activity.defn
    async def confirm_instance(self, given: StepInput) -> StepResult:
        """Poll the provider until it shows the end state of an accepted step."""
        owner = _owner(given.owner)
        call = ActivityCall(self._parts.database, owner, given.instance_id)
        with as_temporal_failures():
            await in_thread(self._parts.pool, call, lambda: self._confirm(owner, given.instance_id, call))
        return StepResult(confirmed=True)

    @activity.defn
    async def clean_up_instance(self, given: StepInput) -> list[str]:
        """Remove what a failed or cancelled create has made; returns what was removed, in words."""
        owner = _owner(given.owner)
        call = ActivityCall(self._parts.database, owner, given.instance_id, cleaning=True)

        def clean() -> list[str]:
            step = self._after(owner, given.instance_id)
            if step.settled:  # it was confirmed just before the cancel arrived: it is running, and stays
                return []
            self._provider(step).delete(step.work, call)
            return [f"the {step.provider} object of {step.work.name}"]

        with as_temporal_failures():
            return await in_thread(self._parts.pool, call, clean)

    @activity.defn
    async def look_at_instance(self, given: StepInput) -> str:
        """One look at what a cancelled operation left, in the words of the observation table."""
        owner = _owner(given.owner)
        call = ActivityCall(self._parts.database, owner, given.instance_id, cleaning=True)

        def look() -> str:
            step = self._after(owner, given.instance_id)
            return self._provider(step).observe(step.work).seen.value

        with as_temporal_failures():
            return await in_thread(self._parts.pool, call, look)

    async def _attempt(self, given: StepInput, verb: Callable[[StepWork, ActivityCall], Outcome]) -> StepResult:
        """One attempt of a verb: begin, act, settle; a failure is recorded with the step before it is raised."""
        owner = _owner(given.owner)
        call = ActivityCall(self._parts.database, owner, given.instance_id)

        def attempt() -> bool:
            step = self._begin(owner, given.instance_id)
            if step.settled:
                return True
            call.attempt = step.attempt
            try:
                outcome = verb(step, call)
            except BerthError as error:
                self._record_failure(owner, given.instance_id, step.attempt, error)
                raise
            with self._parts.database.begin() as tx:
                if outcome.confirmed:
                    settle_step(tx, owner, given.instance_id, step.attempt, Evidence(outcome))
                else:
                    accept_step(tx, owner, given.instance_id, step.attempt, outcome)
            return outcome.confirmed

        with as_temporal_failures():
            return StepResult(confirmed=await in_thread(self._parts.pool, call, attempt))

    def _record_failure(self, owner: Owner, instance_id: str, attempt: int, error: BerthError) -> None:
        if isinstance(error, FenceLost | AttemptOver):
            return
        with self._parts.database.begin() as tx:
            end_attempt(tx, owner, instance_id, attempt, error.message)

    def _begin(self, owner: Owner, instance_id: str) -> StepWork:
        with self._parts.database.begin() as tx:
            return self._with_recipe(begin_step(tx, self._parts.vault, self._parts.server_id, owner, instance_id))

    def _load(self, owner: Owner, instance_id: str) -> StepWork:
        with self._parts.database.begin() as tx:
            return self._with_recipe(load_step(tx, self._parts.vault, self._parts.server_id, owner, instance_id))

    def _after(self, owner: Owner, instance_id: str) -> StepWork:
        with self._parts.database.begin() as tx:
            return self._with_recipe(begin_after(tx, self._parts.vault, self._parts.server_id, owner, instance_id))

    def _with_recipe(self, step: StepWork) -> StepWork:
        blueprint = self._parts.blueprints[step.work.blueprint]
        return replace(step, work=replace(step.work, recipes=blueprint))

    def _provider(self, step: StepWork) -> Provider:
        return self._parts.providers[step.provider]

    def _create(self, step: StepWork, call: ActivityCall) -> Outcome:
        blueprint = self._parts.blueprints[step.work.blueprint]
        provider = self._provider(step)
        work = step.work
        if provider.probes:
            with self._parts.database.begin() as tx:
                secrets = ensure_secrets(tx, self._parts.vault, work.instance_id, blueprint.new_secrets())
            work = replace(work, secrets=secrets)
        outcome, work = self._create_on_port(provider, work, call)
        return self._ready(provider, blueprint, work, outcome, call)

    def _create_on_port(self, provider: Provider, work: Work, call: ActivityCall) -> tuple[Outcome, Work]:
        """Create, on another port where the one drawn turns out to be in use by a stranger."""
        if not provider.needs_port:
            return provider.create(work, call), work
        refused: list[int] = []
        while True:
            with self._parts.database.begin() as tx:
                owner = call.owner
                assert owner is not None
                port, fixed = allocate_port(tx, owner, work.instance_id, self._parts.ports, refused)
            placed = replace(work, port=port)
            try:
                return provider.create(placed, call), placed
            except ProviderError as error:
                if error.code != "port-taken" or fixed:
                    raise
                refused.append(port)

    def _start(self, step: StepWork, call: ActivityCall) -> Outcome:
        provider = self._provider(step)
        outcome = provider.start(step.work, call)
        return self._ready(provider, self._parts.blueprints[step.work.blueprint], step.work, outcome, call)

    def _restart(self, step: StepWork, call: ActivityCall) -> Outcome:
        provider = self._provider(step)
        outcome = provider.restart(step.work, call)
        return self._ready(provider, self._parts.blueprints[step.work.blueprint], step.work, outcome, call)

    def _modify(self, step: StepWork, call: ActivityCall) -> Outcome:
        """Rewrite and reload; restart when the running instance says that the change needs it; start what is down.

        What was stopped stays so; from `error` a modify ends in `running`.
        """
        provider = self._provider(step)
        blueprint = self._parts.blueprints[step.work.blueprint]
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
                endpoint = blueprint.endpoint(work) or outcome.endpoint
                return replace(outcome, endpoint=endpoint)

    def _still_up(self, provider: Provider, work: Work, why: ProviderError) -> None:
        """Do not wait for something that has died."""
        look = provider.observe(work)
        if look.seen in {Seen.DOWN, Seen.CRASHED, Seen.ABSENT}:
            tail = "; ".join(list(provider.logs(work, 3)))
            raise ProviderError(
                ProviderErrorKind.TRANSIENT,
                f"{work.name} stopped before it served ({look.detail or look.provider_state}); "
                f"last output: {tail or why.message}",
            )

    def _confirm(self, owner: Owner, instance_id: str, call: ActivityCall) -> None:
        last_there = time.monotonic()
        while True:
            step = self._load(owner, instance_id)
            if step.settled:
                return
            with self._parts.database.begin() as tx:
                claim = claimed(tx, owner.operation_id, instance_id)
            look = self._provider(step).observe(step.work)
            if self._shows_end(step, look):
                outcome = Outcome(True, look.provider_state, look.provider_id, look.endpoint)
                evidence = Evidence(outcome, *claim) if claim else Evidence(outcome)
                with self._parts.database.begin() as tx:
                    settle_step(tx, owner, instance_id, step.attempt, evidence)
                return
            if look.seen is not Seen.ABSENT:
                last_there = time.monotonic()
            elif time.monotonic() - last_there > ABSENCE_SECONDS:
                message = (
                    f"{step.work.name} is gone from its provider; it was accepted, and then nothing was found"
                )
                raise ProviderError(ProviderErrorKind.NOT_FOUND, message)
            call.sleep(self._provider(step).poll_seconds)

    def _shows_end(self, step: StepWork, look: Observation) -> bool:
        wanted = _WANTED.get(step.verb)
        if wanted is None:
            wanted = Seen.DOWN if step.before == Status.STOPPED else Seen.UP
        return look.seen is wanted


def _owner(given: OwnerInput) -> Owner:
    return Owner(given.operation_id, given.original_run_id)

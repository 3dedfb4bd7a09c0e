"""The activities that act on one instance through its provider. Each loads its work from the operation id.

Every one is idempotent: run twice, or killed at any point and run again, one object exists. The order inside an
attempt is always: fence and work (one transaction), the provider's verb, the readiness probe, settle (one
transaction).
"""

from __future__ import annotations

from collections.abc import Callable

from temporalio import activity

from activities.calls import ActivityCall, in_thread
from activities.contracts import StepInput, StepResult
from activities.failures import as_temporal_failures
from activities.loading import load, owner_of
from activities.parts import Parts
from activities.verbs import Verbs
from domain.errors import AttemptOver, BerthError, FenceLost
from domain.work import Outcome
from services.operations.confirmations import poll_evidence
from services.operations.fence import Owner
from services.operations.settlement import accept_step, settle_step
from services.operations.steps import StepWork, begin_step, end_attempt


class InstanceActivities:
    """Composed by the worker: records, keys, and the providers and blueprints that it serves."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._verbs = Verbs(parts)

    @activity.defn
    async def create_instance(self, given: StepInput) -> StepResult:
        """Make one instance exist and serve."""
        return await self._attempt(given, self._verbs.create)

    @activity.defn
    async def start_instance(self, given: StepInput) -> StepResult:
        """Make one stopped instance serve again."""
        return await self._attempt(given, self._verbs.start)

    @activity.defn
    async def stop_instance(self, given: StepInput) -> StepResult:
        """Stop one instance cleanly."""
        return await self._attempt(given, self._verbs.stop)

    @activity.defn
    async def restart_instance(self, given: StepInput) -> StepResult:
        """Stop and start one instance."""
        return await self._attempt(given, self._verbs.restart)

    @activity.defn
    async def suspend_instance(self, given: StepInput) -> StepResult:
        """Stop one instance because its deployment is held."""
        return await self._attempt(given, self._verbs.suspend)

    @activity.defn
    async def unsuspend_instance(self, given: StepInput) -> StepResult:
        """Bring one instance back to what it was before its suspension."""
        return await self._attempt(given, self._verbs.unsuspend)

    @activity.defn
    async def modify_instance(self, given: StepInput) -> StepResult:
        """Bring one instance to the operation's spec, with a restart only where the instance demands it."""
        return await self._attempt(given, self._verbs.modify)

    @activity.defn
    async def delete_instance(self, given: StepInput) -> StepResult:
        """Remove one instance and its data."""
        return await self._attempt(given, self._verbs.delete)

    async def _attempt(self, given: StepInput, verb: Callable[[StepWork, ActivityCall], Outcome]) -> StepResult:
        """One attempt of a verb: begin, act, settle; a failure is recorded with the step before it is raised."""
        owner = owner_of(given.owner)
        call = ActivityCall(self._parts.database, owner, given.instance_id)

        def attempt() -> bool:
            step = load(self._parts, begin_step, owner, given.instance_id)
            if step.settled:
                return True
            call.attempt = step.attempt
            call.masked = step.work.masked
            try:
                outcome = verb(step, call)
            except BerthError as error:
                error.message = step.work.masked(error.message)  # it may quote what an instance has printed
                self._record_failure(owner, given.instance_id, step.attempt, error)
                raise
            evidence = poll_evidence(step.provider, outcome, by_agent=self._parts.by_agent)
            with self._parts.database.begin() as tx:
                record = settle_step if outcome.confirmed else accept_step
                record(tx, owner, given.instance_id, step.attempt, evidence)
            return outcome.confirmed

        with as_temporal_failures():
            return StepResult(confirmed=await in_thread(self._parts.pool, call, attempt))

    def _record_failure(self, owner: Owner, instance_id: str, attempt: int, error: BerthError) -> None:
        if isinstance(error, FenceLost | AttemptOver):
            return
        with self._parts.database.begin() as tx:
            end_attempt(tx, owner, instance_id, attempt, error.message)

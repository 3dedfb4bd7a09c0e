"""The life of every operation, read top to bottom in `carry_out`: plan, act, finish, and listen after a failure.

The types beside this file differ in name only; what they do was decided at acceptance and is in the plan.
Nothing here reads the table of moves, so editing the table cannot break a replay.
"""

from __future__ import annotations

import asyncio
import builtins
from collections.abc import Awaitable
from datetime import timedelta
from typing import TypeVar

from temporalio import workflow
from temporalio.common import SearchAttributeKey
from temporalio.exceptions import (
    ActivityError,
    ApplicationError,
    TimeoutError,  # noqa: A004 - Temporal's own, with the type of time-out
    is_cancelled_exception,
)

with workflow.unsafe.imports_passed_through():
    from activities.contracts import (
        ConfirmationInput,
        FailedStep,
        FinishInput,
        FinishResult,
        OperationInput,
        OwnerInput,
        PlanInput,
        PlannedStepResult,
        PlanResult,
        StepInput,
        StepResult,
    )
    from activities.instances import InstanceActivities
    from activities.records import RecordActivities
    from domain.limits import PARALLEL_INSTANCES
    from workflows import policies

T = TypeVar("T")
OP_PHASE = SearchAttributeKey.for_keyword("OpPhase")
VERBS = {
    "create": InstanceActivities.create_instance,
    "start": InstanceActivities.start_instance,
    "stop": InstanceActivities.stop_instance,
    "restart": InstanceActivities.restart_instance,
    "modify": InstanceActivities.modify_instance,
    "delete": InstanceActivities.delete_instance,
}


class OperationRun:
    """One run of one operation. Subclasses add `@workflow.run` and their name."""

    def __init__(self) -> None:
        self._owner = OwnerInput("", "")
        self._listening = False
        self._retry = False
        self._close = False
        self._confirmations: list[ConfirmationInput] = []
        self._failures: list[dict[str, object]] = []
        self._begun: set[str] = set()
        self._done: set[str] = set()
        self._fence_lost = False
        self._told_to_stop = False

    @workflow.signal
    def retry(self, operation_id: str | None = None) -> None:
        """Accept a new operation that repeats this one. Counts only while this run listens."""
        self._retry = self._retry or (self._listening and self._is_mine(operation_id))

    @workflow.signal
    def abort(self, operation_id: str | None = None) -> None:
        """Stop listening. The operation stays failed."""
        self._close = self._close or (self._listening and self._is_mine(operation_id))

    @workflow.signal
    def confirm(self, claim: dict[str, object]) -> None:
        """Evidence from elsewhere: `{operation_id, instance_id, kind, generation}`; others are ignored."""
        generation = str(claim.get("generation", ""))
        if self._is_mine(str(claim.get("operation_id", ""))) and generation.isdecimal():
            instance_id, kind = str(claim.get("instance_id", "")), str(claim.get("kind", ""))
            self._confirmations.append(ConfirmationInput(self._owner, instance_id, kind, int(generation)))

    def _is_mine(self, operation_id: str | None) -> bool:
        return operation_id in {None, self._owner.operation_id}

    async def carry_out(self, given: OperationInput) -> str:
        """Plan → act → finish. Returns `succeeded`; anything else ends the run as failed or cancelled."""
        info = workflow.info()
        self._owner = OwnerInput(given.operation_id, info.original_execution_run_id or info.run_id)
        plan = await self._recorded(self._plan(info.run_id))
        if not self._stopping():
            await self._act(plan)
        if self._fence_lost:
            raise ApplicationError(
                "this run no longer owns its deployment", type=policies.FENCE_LOST, non_retryable=True
            )
        outcome = await self._finish(plan)
        if outcome.parked:
            await self._listen(plan)
        return self._end(outcome)

    async def _plan(self, run_id: str) -> PlanResult:
        return await workflow.execute_local_activity_method(
            RecordActivities.plan_operation,
            PlanInput(self._owner, run_id),
            **policies.RECORD,
        )

    async def _act(self, plan: PlanResult) -> None:
        """Phases in order; inside one, instances in parallel. A failure stops later phases, not its siblings."""
        listener = asyncio.create_task(self._pass_on_confirmations())
        for number, phase in enumerate(plan.phases, 1):
            names = ", ".join(step.name for step in phase)
            workflow.set_current_details(f"phase {number} of {len(plan.phases)}: {phase[0].verb} {names}")
            await self._phase(phase)
            if self._failures or self._fence_lost or self._stopping():
                break
        listener.cancel()

    async def _phase(self, phase: list[PlannedStepResult]) -> None:
        """Every step of a phase to its own end, also when the operation is cancelled meanwhile."""
        places = asyncio.Semaphore(PARALLEL_INSTANCES)

        async def placed(step: PlannedStepResult) -> None:
            async with places:
                await self._step(step)

        running = [asyncio.create_task(placed(step)) for step in phase]
        try:
            await workflow.wait(running)
        except asyncio.CancelledError:
            if not self._cancelled():
                raise
            for task in running:
                task.cancel()
            await workflow.wait(running)
        for task in running:
            if not task.cancelled() and (error := task.exception()) is not None:
                raise error

    async def _step(self, step: PlannedStepResult) -> None:
        """One instance: its verb, and the poll for its confirmation where the provider only accepted."""
        self._begun.add(step.instance_id)
        try:
            result = await self._verb(step)
            if not result.confirmed:
                await self._confirmation(step)
            self._done.add(step.instance_id)
        except ActivityError as error:
            if is_cancelled_exception(error) or self._cancelled():
                return
            cause = describe(error, step)
            if cause["code"] == policies.FENCE_LOST:
                self._fence_lost = True
                return
            if cause["code"] == "cancelled":
                self._told_to_stop = True
                return
            await self._failed(step, cause)

    async def _verb(self, step: PlannedStepResult) -> StepResult:
        return await workflow.execute_activity_method(
            VERBS[step.verb],
            StepInput(self._owner, step.instance_id),
            task_queue=step.queue,
            activity_id=f"{step.verb}/{step.instance_id}",
            summary=f"{step.verb} {step.name}",
            **policies.mutation(step.attempt_seconds, step.total_seconds),
        )

    async def _confirmation(self, step: PlannedStepResult) -> None:
        await workflow.execute_activity_method(
            InstanceActivities.confirm_instance,
            StepInput(self._owner, step.instance_id),
            task_queue=step.queue,
            activity_id=f"confirm/{step.instance_id}",
            summary=f"wait until the provider shows {step.name} {step.verb}d",
            **policies.confirmation(step.total_seconds),
        )

    async def _failed(self, step: PlannedStepResult, cause: dict[str, object]) -> None:
        """Remove the compute of a create that failed, then settle the instance as `error`."""
        if step.verb == "create":
            cause |= await self._clean_up(step)
        self._failures.append(cause)
        await self._recorded(
            workflow.execute_local_activity_method(
                RecordActivities.fail_step,
                FailedStep(self._owner, step.instance_id, cause),
                summary=f"{step.name} failed",
                **policies.RECORD,
            )
        )

    async def _clean_up(self, step: PlannedStepResult) -> dict[str, object]:
        """What was removed and what was kept, in words for people. Bounded: the rest goes with the delete."""
        try:
            cleaned = await workflow.execute_activity_method(
                InstanceActivities.clean_up_instance,
                StepInput(self._owner, step.instance_id),
                task_queue=step.queue,
                activity_id=f"clean-up/{step.instance_id}",
                summary=f"remove what the create of {step.name} had made",
                **policies.CLEAN_UP,
            )
        except ActivityError:
            left = f"the provider object of {step.name}: it could not be removed now and goes with the delete"
            return {"kept": [left], "cleaned": []}
        return {"kept": [f"the record of {step.name}, its port and its secrets"], "cleaned": cleaned}

    async def _finish(self, plan: PlanResult) -> FinishResult:
        """Record the outcome, shielded: an accepted change is never left without its end."""
        verdict, park = "succeeded", 0.0
        error: dict[str, object] | None = None
        looks: dict[str, str] = {}
        stopped = self._stopping() and bool(self._unsettled(plan))
        if stopped and plan.kind == "delete":
            verdict = "failed"
            error = {"code": "interrupted", "message": "The delete was interrupted; a retry finishes it."}
        elif stopped:
            verdict, looks = "cancelled", await self._recorded(self._after_cancel(plan))
        elif self._failures:
            verdict, park = "failed", plan.park_seconds
        return await self._recorded(
            workflow.execute_local_activity_method(
                RecordActivities.finish_operation,
                FinishInput(self._owner, verdict, error, looks, park),
                **policies.RECORD,
            )
        )

    async def _after_cancel(self, plan: PlanResult) -> dict[str, str]:
        """Remove the compute of creates that did not end; of everything else, one look at what is there now."""
        looks: dict[str, str] = {}
        places = asyncio.Semaphore(PARALLEL_INSTANCES)

        async def see(step: PlannedStepResult) -> None:
            async with places:
                if step.verb == "create":
                    await self._clean_up(step)
                elif (seen := await self._look(step)) is not None:
                    looks[step.instance_id] = seen

        await asyncio.gather(*(see(step) for step in self._unsettled(plan)))
        return looks

    def _unsettled(self, plan: PlanResult) -> list[PlannedStepResult]:
        """What a cancel leaves open. The later members of a roll that nobody began on still are what they were."""
        steps = [step for phase in plan.phases for step in phase]
        rolled = [step.instance_id for step in steps if step.verb == "modify"] if plan.rolling else []
        untouched = set(rolled[1:]) - self._begun
        return [step for step in steps if step.instance_id not in self._done | untouched]

    async def _look(self, step: PlannedStepResult) -> str | None:
        try:
            return await workflow.execute_activity_method(
                InstanceActivities.look_at_instance,
                StepInput(self._owner, step.instance_id),
                task_queue=step.queue,
                activity_id=f"look/{step.instance_id}",
                summary=f"see what the cancel left of {step.name}",
                **policies.LOOK,
            )
        except ActivityError:
            return None

    async def _listen(self, plan: PlanResult) -> None:
        """The lock is free and the operation is over; this run stays only to hear `retry` or `abort`."""
        workflow.upsert_search_attributes([OP_PHASE.value_set("awaiting_operator")])
        workflow.set_current_details("failed; listening for the signals `retry` and `abort`")
        self._listening = True
        deadline = workflow.time() + plan.park_seconds
        while not self._close and (left := deadline - workflow.time()) > 0:
            try:
                await workflow.wait_condition(lambda: self._retry or self._close, timeout=timedelta(seconds=left))
            except builtins.TimeoutError:
                break
            except asyncio.CancelledError:
                if not self._cancelled():
                    raise
                break
            if self._retry and await self._accept_retry():
                return
            self._retry = False
        self._listening = False
        await self._recorded(
            workflow.execute_local_activity_method(
                RecordActivities.stop_listening, self._owner, summary="stop listening", **policies.RECORD
            )
        )

    async def _accept_retry(self) -> bool:
        accepted = await self._recorded(
            workflow.execute_local_activity_method(
                RecordActivities.accept_retry, self._owner, summary="accept the retry", **policies.RECORD
            )
        )
        return accepted is not None

    async def _pass_on_confirmations(self) -> None:
        """Store claims that arrive as signals; the poll sees them."""
        while True:
            await workflow.wait_condition(lambda: bool(self._confirmations))
            claim = self._confirmations.pop(0)
            try:
                await workflow.execute_local_activity_method(
                    RecordActivities.record_confirmation,
                    claim,
                    summary="store a confirmation",
                    **policies.RECORD,
                )
            except ActivityError as error:
                workflow.logger.info("confirmation refused: %s", error.cause)

    async def _recorded(self, work: Awaitable[T]) -> T:
        """Await `work` to its end even when the operation is cancelled meanwhile."""
        task = asyncio.ensure_future(work)
        while not task.done():
            try:
                await asyncio.shield(task)
            except asyncio.CancelledError:
                if not self._cancelled():
                    raise
            except ActivityError as error:
                if isinstance(error.cause, ApplicationError) and error.cause.type == policies.FENCE_LOST:
                    raise ApplicationError(
                        error.cause.message, type=policies.FENCE_LOST, non_retryable=True
                    ) from None
                raise
        return task.result()

    def _cancelled(self) -> bool:
        """Whether the server was asked to cancel this run; eviction looks the same but has no reason."""
        return workflow.cancellation_reason() is not None

    def _stopping(self) -> bool:
        """Cancelled, or told so by the records before the cancel arrived here."""
        return self._told_to_stop or self._cancelled()

    def _end(self, outcome: FinishResult) -> str:
        if outcome.status == "cancelled" and self._cancelled():
            raise asyncio.CancelledError
        if outcome.status != "failed":
            return outcome.status
        error = outcome.error or {}
        raise ApplicationError(
            str(error.get("message", outcome.status)), type="OperationFailed", non_retryable=True
        )


def describe(error: ActivityError, step: PlannedStepResult) -> dict[str, object]:
    """The cause of a failed activity as it is stored and shown: code, message, step, whether a retry may help."""
    cause = error.cause
    if isinstance(cause, ApplicationError):
        return {
            "code": cause.type or "internal",
            "message": cause.message,
            "step": step.verb,
            "retryable": not cause.non_retryable,
        }
    if isinstance(cause, TimeoutError):
        message = (
            f"{step.verb} of {step.name} was not done within {step.total_seconds:g} s "
            f"(one attempt may take {step.attempt_seconds:g} s)"
        )
        return {"code": "timed-out", "message": message, "step": step.verb, "retryable": True}
    return {"code": "internal", "message": f"unexpected {type(cause).__name__}", "step": step.verb}

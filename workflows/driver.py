"""The life of every operation, read top to bottom in `carry_out`: plan, act, finish, and listen after a failure.

The types beside this file differ in name only; what they do was decided at acceptance and is in the plan.
Nothing here reads the table of moves, so editing the table cannot break a replay.
"""

from __future__ import annotations

import asyncio

from temporalio import workflow
from temporalio.exceptions import (
    ActivityError,
    ApplicationError,
    is_cancelled_exception,
)

with workflow.unsafe.imports_passed_through():
    from activities.contracts import (
        FailedStep,
        FinishInput,
        FinishResult,
        OperationInput,
        OwnerInput,
        PlanInput,
        PlannedStepResult,
        PlanResult,
    )
    from activities.records import RecordActivities
    from domain.limits import PARALLEL_INSTANCES
    from workflows import policies, steps
    from workflows.listening import Listening


class OperationRun(Listening):
    """One run of one operation. Subclasses add `@workflow.run` and their name."""

    def __init__(self) -> None:
        super().__init__()
        self._failures: list[dict[str, object]] = []
        self._begun: set[tuple[str, str]] = set()
        self._done: set[tuple[str, str]] = set()
        self._fence_lost = False
        self._told_to_stop = False

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
            await self._listen(plan.park_seconds)
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
        running = [asyncio.create_task(self._step(step, places)) for step in phase]
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

    async def _step(self, step: PlannedStepResult, places: asyncio.Semaphore) -> None:
        """One instance: its verb, in one of the places, and then the poll where the provider only accepted."""
        try:
            async with places:
                self._begun.add(_key(step))
                deadline = workflow.time() + step.total_seconds
                result = await steps.act(self._owner, step)
            if not result.confirmed:
                await steps.confirm(self._owner, step, deadline - workflow.time())
            self._done.add(_key(step))
        except ActivityError as error:
            if is_cancelled_exception(error) or self._cancelled():
                return
            cause = steps.describe(error, step)
            if cause["code"] == policies.FENCE_LOST:
                self._fence_lost = True
                return
            if cause["code"] == "cancelled":
                self._told_to_stop = True
                return
            await self._failed(step, cause)

    async def _failed(self, step: PlannedStepResult, cause: dict[str, object]) -> None:
        """Remove the compute of a create that failed, then settle the instance as `error`."""
        if step.verb == "create":
            cause |= await steps.clean_up(self._owner, step)
        self._failures.append(cause)
        await self._recorded(
            workflow.execute_local_activity_method(
                RecordActivities.fail_step,
                FailedStep(self._owner, step.instance_id, cause, steps.beside(step)),
                summary=f"{step.name} failed",
                **policies.RECORD,
            )
        )

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
                    await steps.clean_up(self._owner, step)
                elif steps.beside(step):
                    return  # what there is of a database stays, for the retry or the delete
                elif (seen := await steps.look(self._owner, step)) is not None:
                    looks[step.instance_id] = seen

        await asyncio.gather(*(see(step) for step in self._unsettled(plan)))
        return looks

    def _unsettled(self, plan: PlanResult) -> list[PlannedStepResult]:
        """What a cancel leaves open. The later members of a roll that nobody began on still are what they were."""
        every = [step for phase in plan.phases for step in phase]
        rolled = [_key(step) for step in every if step.verb == "modify"] if plan.rolling else []
        untouched = set(rolled[1:]) - self._begun
        return [step for step in every if _key(step) not in self._done | untouched]

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


def _key(step: PlannedStepResult) -> tuple[str, str]:
    """One instance can have its own step and, beside it, one of the deployment's database."""
    return step.verb, step.instance_id

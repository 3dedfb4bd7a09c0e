"""The activities of one instance's step, each with its options. Called by `workflows.driver`."""

from __future__ import annotations

from temporalio import workflow
from temporalio.exceptions import (
    ActivityError,
    ApplicationError,
    TimeoutError,  # noqa: A004 - Temporal's own, with the type of time-out
)

with workflow.unsafe.imports_passed_through():
    from activities.contracts import OwnerInput, PlannedStepResult, StepInput, StepResult
    from activities.instances import InstanceActivities
    from workflows import policies

VERBS = {
    "create": InstanceActivities.create_instance,
    "start": InstanceActivities.start_instance,
    "stop": InstanceActivities.stop_instance,
    "restart": InstanceActivities.restart_instance,
    "modify": InstanceActivities.modify_instance,
    "delete": InstanceActivities.delete_instance,
}


async def act(owner: OwnerInput, step: PlannedStepResult) -> StepResult:
    """The step's verb."""
    return await workflow.execute_activity_method(
        VERBS[step.verb],
        StepInput(owner, step.instance_id),
        task_queue=step.queue,
        activity_id=f"{step.verb}/{step.instance_id}",
        summary=f"{step.verb} {step.name}",
        **policies.mutation(step.attempt_seconds, step.total_seconds, step.attempts),
    )


async def confirm(owner: OwnerInput, step: PlannedStepResult) -> None:
    """Wait until the provider shows the end of a verb that it has only accepted."""
    await workflow.execute_activity_method(
        InstanceActivities.confirm_instance,
        StepInput(owner, step.instance_id),
        task_queue=step.queue,
        activity_id=f"confirm/{step.instance_id}",
        summary=f"wait until the provider shows {step.name} {step.verb}d",
        **policies.confirmation(step.total_seconds),
    )


async def clean_up(owner: OwnerInput, step: PlannedStepResult) -> dict[str, object]:
    """What was removed and what was kept, in words for people. Bounded: the rest goes with the delete."""
    try:
        cleaned = await workflow.execute_activity_method(
            InstanceActivities.clean_up_instance,
            StepInput(owner, step.instance_id),
            task_queue=step.queue,
            activity_id=f"clean-up/{step.instance_id}",
            summary=f"remove what the create of {step.name} had made",
            **policies.CLEAN_UP,
        )
    except ActivityError:
        left = f"the provider object of {step.name}: it could not be removed now and goes with the delete"
        return {"kept": [left], "cleaned": []}
    return {"kept": [f"the record of {step.name}, its port and its secrets"], "cleaned": cleaned}


async def look(owner: OwnerInput, step: PlannedStepResult) -> str | None:
    """What the provider shows now, in the words of the observation table; None without an answer."""
    try:
        return await workflow.execute_activity_method(
            InstanceActivities.look_at_instance,
            StepInput(owner, step.instance_id),
            task_queue=step.queue,
            activity_id=f"look/{step.instance_id}",
            summary=f"see what the cancel left of {step.name}",
            **policies.LOOK,
        )
    except ActivityError:
        return None


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

"""The activities of one instance's step, each with its options. Called by `workflows.driver`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from temporalio import workflow
from temporalio.exceptions import (
    ActivityError,
    ApplicationError,
    TimeoutError,  # noqa: A004 - Temporal's own, with the type of time-out
)

with workflow.unsafe.imports_passed_through():
    from activities.aftermath import AftermathActivities
    from activities.confirming import ConfirmActivities
    from activities.contracts import OwnerInput, PlannedStepResult, StepInput, StepResult
    from activities.databases import DatabaseActivities
    from activities.instances import InstanceActivities
    from workflows import policies

VERBS: dict[str, Callable[[Any, StepInput], Awaitable[StepResult]]] = {
    "create": InstanceActivities.create_instance,
    "start": InstanceActivities.start_instance,
    "stop": InstanceActivities.stop_instance,
    "restart": InstanceActivities.restart_instance,
    "modify": InstanceActivities.modify_instance,
    "suspend": InstanceActivities.suspend_instance,
    "unsuspend": InstanceActivities.unsuspend_instance,
    "delete": InstanceActivities.delete_instance,
    "allocate": DatabaseActivities.allocate_database,
    "release": DatabaseActivities.release_database,
}
BESIDE = {"allocate": "allocate the database of", "release": "release the database of"}
"""Steps of the deployment, which stand beside the own step of one of its instances."""
TIMED_OUT = "timed-out"
NOT_YET = "not-yet"
POLLS = "-polls"
"""The queue of the waiting polls of a provider's queue."""
_SHORTEST_POLL = 2.0


def beside(step: PlannedStepResult) -> str | None:
    """The step's name when it is not the instance's own."""
    return step.verb if step.verb in BESIDE else None


async def act(owner: OwnerInput, step: PlannedStepResult) -> StepResult:
    """The step's verb."""
    return await workflow.execute_activity_method(
        VERBS[step.verb],
        StepInput(owner, step.instance_id),
        task_queue=step.queue,
        activity_id=f"{step.verb}/{step.instance_id}",
        summary=f"{BESIDE.get(step.verb, step.verb)} {step.name}",
        **policies.mutation(step.attempt_seconds, step.total_seconds, step.attempts),
    )


async def confirm(owner: OwnerInput, step: PlannedStepResult, left_seconds: float) -> None:
    """Wait until the provider shows the end of a verb that it has only accepted, on a queue of its own."""
    await workflow.execute_activity_method(
        ConfirmActivities.confirm_instance,
        StepInput(owner, step.instance_id, step.total_seconds),
        task_queue=f"{step.queue}{POLLS}",
        activity_id=f"confirm/{step.instance_id}",
        summary=f"wait until the provider shows {step.name} {step.verb}d",
        **policies.confirmation(max(left_seconds, _SHORTEST_POLL)),
    )


async def clean_up(owner: OwnerInput, step: PlannedStepResult) -> dict[str, object]:
    """What was removed and what was kept, in words for people. Bounded: the rest goes with the delete."""
    try:
        cleaned = await workflow.execute_activity_method(
            AftermathActivities.clean_up_instance,
            StepInput(owner, step.instance_id),
            task_queue=step.queue,
            activity_id=f"clean-up/{step.instance_id}",
            summary=f"remove what the create of {step.name} had made",
            **policies.CLEAN_UP,
        )
    except ActivityError as error:
        why = f" ({error.cause.message})" if isinstance(error.cause, ApplicationError) else ""
        left = f"the provider object of {step.name}: it could not be removed now{why} and goes with the delete"
        return {"kept": [left], "cleaned": []}
    return {"kept": [f"the record of {step.name}, its port and its secrets"], "cleaned": cleaned}


async def look(owner: OwnerInput, step: PlannedStepResult) -> str | None:
    """What the provider shows now, in the words of the observation table; None without an answer."""
    try:
        return await workflow.execute_activity_method(
            AftermathActivities.look_at_instance,
            StepInput(owner, step.instance_id),
            task_queue=step.queue,
            activity_id=f"look/{step.instance_id}",
            summary=f"see what the cancel left of {step.name}",
            **policies.LOOK,
        )
    except ActivityError:
        return None


def describe(error: ActivityError, step: PlannedStepResult) -> dict[str, object]:
    """The cause of a failed activity as it is stored and shown: code, message, step, whether a retry may help.

    `event_id`: of the event in the run's history that says so, for the link from the error to it. A failure is
    written together with the begin of its last attempt, right behind it; without a begin there is the schedule.
    """
    return {**_cause(error, step), "event_id": _failing_event(error)}


def _failing_event(error: ActivityError) -> int:
    return error.started_event_id + 1 if error.started_event_id else error.scheduled_event_id


def _cause(error: ActivityError, step: PlannedStepResult) -> dict[str, object]:
    cause = error.cause
    within = f"was not done within {step.total_seconds:g} s"
    if isinstance(cause, ApplicationError) and cause.type == NOT_YET:
        message = f"{step.verb} of {step.name} {within}: {cause.message}"
        return {"code": TIMED_OUT, "message": message, "step": step.verb, "retryable": True}
    if isinstance(cause, ApplicationError):
        return {
            "code": cause.type or "internal",
            "message": cause.message,
            "step": step.verb,
            "retryable": not cause.non_retryable or cause.type == TIMED_OUT,
        }
    if isinstance(cause, TimeoutError):
        message = f"{step.verb} of {step.name} {within} (one attempt may take {step.attempt_seconds:g} s)"
        if isinstance(cause.cause, ApplicationError):
            message += f"; the last attempt failed: {cause.cause.message}"
        return {"code": "timed-out", "message": message, "step": step.verb, "retryable": True}
    return {"code": "internal", "message": f"unexpected {type(cause).__name__}", "step": step.verb}

"""The cause of a failed step, in the words that are stored and shown."""

from __future__ import annotations

import pytest
from temporalio.exceptions import (
    ActivityError,
    ApplicationError,
    FailureError,
    TimeoutError,  # noqa: A004 - Temporal's own
    TimeoutType,
)

from activities.contracts import PlannedStepResult
from workflows.steps import describe

pytestmark = pytest.mark.unit
STEP = PlannedStepResult("ins_1", "shop", "allocate", "host-1", 45, 300, 0)


def failed(cause: FailureError) -> ActivityError:
    error = ActivityError(
        "failed",
        scheduled_event_id=1,
        started_event_id=2,
        identity="worker",
        activity_type="allocate_database",
        activity_id="allocate/ins_1",
        retry_state=None,
    )
    error.__cause__ = cause
    return error


def test_a_wait_that_was_not_answered_in_time_says_for_what() -> None:
    cause = describe(failed(ApplicationError("create of shop-db is in progress", type="not-yet")), STEP)
    assert (cause["code"], cause["retryable"]) == ("timed-out", True)
    assert cause["message"] == "allocate of shop was not done within 300 s: create of shop-db is in progress"


def test_a_time_out_tells_why_the_last_attempt_failed() -> None:
    timed_out = TimeoutError("too long", type=TimeoutType.SCHEDULE_TO_CLOSE, last_heartbeat_details=[])
    assert "last attempt" not in str(describe(failed(timed_out), STEP)["message"])
    timed_out.__cause__ = ApplicationError("the engine does not answer", type="transient")
    cause = describe(failed(timed_out), STEP)
    assert str(cause["message"]).endswith("; the last attempt failed: the engine does not answer")


def test_what_cannot_be_tried_again_says_so() -> None:
    cause = describe(failed(ApplicationError("no such image", type="invalid", non_retryable=True)), STEP)
    assert cause == {
        "code": "invalid",
        "message": "no such image",
        "step": "allocate",
        "retryable": False,
        "event_id": 3,
    }

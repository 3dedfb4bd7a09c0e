"""Every time-out and retry policy of an activity, by name. Numbers shared with the records: `domain.limits`."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from temporalio.common import RetryPolicy
from temporalio.workflow import ActivityCancellationType

from domain.limits import (
    CLEANUP_SECONDS,
    HEARTBEAT_SECONDS,
    LOOK_SECONDS,
    POLL_HEARTBEAT_SECONDS,
    RECORD_SECONDS,
)

FENCE_LOST = "fence-lost"

RECORD: dict[str, Any] = {
    "start_to_close_timeout": timedelta(seconds=RECORD_SECONDS),
    "retry_policy": RetryPolicy(
        initial_interval=timedelta(seconds=0.2),
        maximum_interval=timedelta(seconds=5),
        non_retryable_error_types=[FENCE_LOST],
    ),
}
"""Transactions of ours. No end to the retries: an operation waits for its database, and survives its absence."""

CLAIM: dict[str, Any] = RECORD | {
    "retry_policy": RetryPolicy(initial_interval=timedelta(seconds=0.2), maximum_attempts=5)
}
"""A claim from outside: the poll sees the truth without it, so it must not be waited for without end."""


def _again(attempts: int) -> RetryPolicy:
    return RetryPolicy(
        initial_interval=timedelta(seconds=0.5), maximum_interval=timedelta(seconds=4), maximum_attempts=attempts
    )


_MUTATION = _again(6)
_UNTIL_OVER = _again(0)


def mutation(attempt_seconds: float, total_seconds: float, attempts: int) -> dict[str, Any]:
    """One verb on one instance. A cancelled call is waited for: nothing may act beside what follows."""
    return {
        "start_to_close_timeout": timedelta(seconds=attempt_seconds),
        "schedule_to_close_timeout": timedelta(seconds=total_seconds),
        "heartbeat_timeout": timedelta(seconds=HEARTBEAT_SECONDS),
        "retry_policy": _again(attempts),
        "cancellation_type": ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
    }


def confirmation(total_seconds: float) -> dict[str, Any]:
    """The poll for a confirmation: one long attempt, taken over when its worker dies. It ends itself in time."""
    return {
        "start_to_close_timeout": timedelta(seconds=total_seconds),
        "schedule_to_close_timeout": timedelta(seconds=total_seconds),
        "heartbeat_timeout": timedelta(seconds=POLL_HEARTBEAT_SECONDS),
        "retry_policy": _UNTIL_OVER,
        "cancellation_type": ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
    }


CLEAN_UP: dict[str, Any] = {
    "start_to_close_timeout": timedelta(seconds=CLEANUP_SECONDS),
    "schedule_to_close_timeout": timedelta(seconds=CLEANUP_SECONDS),
    "heartbeat_timeout": timedelta(seconds=HEARTBEAT_SECONDS),
    "retry_policy": _MUTATION,
    "cancellation_type": ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
}

LOOK: dict[str, Any] = {
    "start_to_close_timeout": timedelta(seconds=LOOK_SECONDS),
    "schedule_to_close_timeout": timedelta(seconds=2 * LOOK_SECONDS),
    "heartbeat_timeout": timedelta(seconds=HEARTBEAT_SECONDS),
    "retry_policy": RetryPolicy(initial_interval=timedelta(seconds=0.5), maximum_attempts=3),
    "cancellation_type": ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
}

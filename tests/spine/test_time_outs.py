"""What a time-out says: what was seen last, what the step was doing, or why its last attempt failed."""

from __future__ import annotations

import pytest

from tests.support.spine import Spine
from tests.support.spines import MakeSpine

pytestmark = pytest.mark.servers


def test_a_time_out_says_what_was_seen_last(spine: Spine) -> None:
    made = spine.create(
        simulate={
            "create": {"fault": "unconfirmed", "seconds": 60},
            "observe": {"fault": "throttled", "times": -1},
        },
        timeouts={"launch_seconds": 5},
    )
    spine.wait_operation(made, lambda row: "simulated: throttled" in messages(spine, row.id))
    failed = spine.failed(made)
    assert failed.error is not None
    name = spine.instance(made.deployment_id).name
    assert failed.error["message"] == f"{name} was not running within 5 s: simulated: throttled"
    assert (failed.error["code"], failed.error["retryable"]) == ("timed-out", True)


def test_a_time_out_of_an_attempt_says_what_the_step_said_last(spine: Spine) -> None:
    spine.fault("create", "used_up")
    made = spine.create(simulate={"create": {"fault": "hang"}}, timeouts={"launch_seconds": 2})
    spine.wait_operation(made, lambda row: any(messages(spine, row.id)))
    (said,) = filter(None, messages(spine, made.operation_id))
    failed = spine.failed(made)
    assert failed.error is not None
    assert failed.error["code"] == "timed-out"
    assert "was not done within 2 s" in failed.error["message"]
    assert failed.error["message"].endswith(f"; last: {said}")
    assert spine.instance(made.deployment_id).error_message == failed.error["message"]


def messages(spine: Spine, operation_id: str) -> list[str | None]:
    return [step.message for step in spine.steps(operation_id)]


def test_what_fails_until_its_time_is_over_ends_with_the_last_failure(spine: Spine) -> None:
    made = spine.create(simulate={"create": {"fault": "error", "times": -1}}, timeouts={"launch_seconds": 5})
    failed = spine.failed(made)
    name = spine.instance(made.deployment_id).name
    assert failed.error is not None
    assert failed.error["message"] == f"simulated error in create of {name}"
    assert (failed.error["code"], failed.error["retryable"]) == ("transient", True)


def test_an_installation_says_how_long_a_launch_may_take(make_spine: MakeSpine) -> None:
    spine = make_spine(BERTH_SIMULATED_LAUNCH_SECONDS="3")
    spine.start_worker()
    made = spine.create(simulate={"create": {"fault": "unconfirmed", "seconds": 60}})
    failed = spine.failed(made)
    assert failed.error is not None
    assert "was not running within 3 s: its provider shows it creating" in failed.error["message"]
    longer = spine.create(
        simulate={"create": {"fault": "unconfirmed", "seconds": 4}}, timeouts={"launch_seconds": 20}
    )
    spine.succeeded(longer)

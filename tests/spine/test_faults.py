"""What a provider can do to an operation, and where each ends: retried, or failed with its cause."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select

from domain.lifecycle import Operation, ProvisioningStatus, Status
from domain.operations import ErrorOrigin, StepStatus
from domain.specs import Accepted
from providers.simulated_faults import FOR_EVER
from tests.support.spine import NEVER, Spine

pytestmark = pytest.mark.servers


def greetings(spine: Spine, made: Accepted) -> list[str]:
    """What the records say is applied, member by member."""
    specs = [row.applied_spec for row in spine.instances(made.deployment_id)]
    return [spec["params"]["greeting"] for spec in specs if spec is not None]


def test_a_transient_error_is_tried_again_and_both_attempts_are_told(spine: Spine) -> None:
    made = spine.create_done(simulate={"create": {"fault": "error"}})
    row = spine.instance(made.deployment_id)
    assert spine.calls(row.id) == {"create": 2}
    step = spine.steps(made.operation_id)[1]
    assert (step.status, len(step.attempts)) == (StepStatus.DONE, 2)
    assert step.attempts[0]["error"] == f"simulated error in create of {row.name}"
    assert "error" not in step.attempts[1]
    assert all("ended_at" in attempt for attempt in step.attempts)


def test_an_answer_lost_after_success_makes_no_second_object(spine: Spine) -> None:
    made = spine.create_done(simulate={"create": {"fault": "error_after_success"}})
    row = spine.instance(made.deployment_id)
    assert row.status is Status.RUNNING
    assert [item.instance_id for item in spine.inventory(made.deployment_id)] == [row.id]


@pytest.mark.parametrize("operation", [Operation.STOP, Operation.RESTART, Operation.DELETE])
@pytest.mark.parametrize("kind", ["error", "error_after_success", "throttled", "slow"])
def test_every_verb_survives_a_passing_fault(spine: Spine, operation: Operation, kind: str) -> None:
    made = spine.create_done()
    row = spine.instance(made.deployment_id)
    spine.fault(operation.value, kind, seconds=0.2, instance=row.id)
    if operation is Operation.DELETE:
        spine.succeeded(spine.delete(made.deployment_id))
        assert spine.inventory(made.deployment_id) == []
    else:
        spine.succeeded(spine.act(operation, made.deployment_id))
    assert spine.calls(row.id)[operation.value] == (1 if kind == "slow" else 2)


def test_a_create_without_capacity_fails_at_once_and_says_what_it_kept_and_cleaned(spine: Spine) -> None:
    made = spine.create(simulate={"create": {"fault": "no_capacity"}})
    failed = spine.failed(made)
    row = spine.instance(made.deployment_id)
    assert (row.status, row.provisioning_status) == (Status.ERROR, ProvisioningStatus.FAILED)
    assert (row.error_code, row.error_origin) == ("no-capacity", ErrorOrigin.OPERATION)
    assert row.error_message == f"simulated no_capacity in create of {row.name}"
    assert failed.error is not None
    assert failed.error["code"] == "no-capacity"
    assert failed.error["step"] == "create"
    assert failed.error["cleaned"] == [f"the simulated object of {row.name}"]
    assert failed.error["kept"] == [f"the record of {row.name}, its port and its secrets"]
    assert spine.calls(row.id)["create"] == 1, "no capacity is not retried blindly"
    assert spine.inventory(made.deployment_id) == []
    again = spine.retry(failed.id)
    done = spine.succeeded(again)
    assert (done.retry_of, done.attempt, done.kind) == (failed.id, 2, Operation.CREATE)
    row = spine.instance(made.deployment_id)
    assert (row.status, row.provisioning_status) == (Status.RUNNING, ProvisioningStatus.COMPLETED)
    assert (row.error_code, row.error_message, row.error_origin) == (None, None, None)


def test_a_hanging_create_is_cut_by_its_own_time_out_and_can_be_retried(spine: Spine) -> None:
    made = spine.create(simulate={"create": {"fault": "hang"}}, timeouts={"launch_seconds": 1.0})
    failed = spine.failed(made, seconds=15)
    row = spine.instance(made.deployment_id)
    assert failed.error is not None
    assert failed.error["code"] == "timed-out"
    assert f"create of {row.name} was not done within 1 s" in failed.error["message"]
    assert row.status is Status.ERROR
    spine.succeeded(spine.retry(failed.id))


def test_what_comes_late_after_its_time_out_is_not_made_after_the_clean_up(spine: Spine) -> None:
    """The call of a timed-out attempt goes on in its thread; it must not act beside or after what follows."""
    made = spine.create(
        members=2,
        simulate={"create": {"fault": "slow", "seconds": 2.5}},
        timeouts={"launch_seconds": 1.0},
    )
    failed = spine.failed(made, seconds=20)
    assert failed.error is not None
    assert failed.error["code"] == "timed-out"
    assert spine.inventory(made.deployment_id) == []


def test_an_unconfirmed_create_runs_only_once_the_provider_shows_it(spine: Spine) -> None:
    made = spine.create(simulate={"create": {"fault": "unconfirmed", "seconds": NEVER}})
    spine.wait_operation(made, lambda row: "LAUNCH_ACCEPTED" in spine.event_types(row.id))
    row = spine.instance(made.deployment_id)
    assert (row.status, row.provider_state) == (Status.CREATING, "creating")
    (shown_at,) = spine.rows(select(func.clock_timestamp()))
    spine.settles(made.deployment_id)
    spine.succeeded(made)
    (confirmed,) = [e for e in spine.events(made.operation_id) if e.event_type == "LAUNCH_CONFIRMED"]
    assert (confirmed.source, confirmed.confirmation_method) == ("backend", "provider_poll")
    row = spine.instance(made.deployment_id)
    assert (row.status, row.provider_state) == (Status.RUNNING, "running")
    assert row.launch_confirmed_at is not None
    assert row.launch_confirmed_at > shown_at
    assert spine.calls(row.id)["create"] == 1


def test_an_unconfirmed_delete_keeps_the_row_until_the_provider_shows_it_gone(spine: Spine) -> None:
    made = spine.create_done()
    row = spine.instance(made.deployment_id)
    spine.fault("delete", "unconfirmed", seconds=NEVER, instance=row.id)
    done = spine.delete(made.deployment_id)
    spine.wait_operation(done, lambda op: "TERMINATE_ACCEPTED" in spine.event_types(op.id))
    assert spine.instance(made.deployment_id).status is Status.DELETING
    spine.settles(made.deployment_id)
    spine.succeeded(done)
    assert spine.instances(made.deployment_id) == []


def test_an_object_that_vanished_fails_the_action_and_a_retry_of_it_says_the_same(spine: Spine) -> None:
    made = spine.create_done()
    row = spine.instance(made.deployment_id)
    spine.fault("restart", "gone", instance=row.id)
    failed = spine.failed(spine.act(Operation.RESTART, made.deployment_id))
    assert failed.error is not None
    assert failed.error["code"] == "not-found"
    assert "its object is gone from the provider" in failed.error["message"]
    assert spine.failed(spine.retry(failed.id)).error == failed.error
    spine.succeeded(spine.delete(made.deployment_id))


def test_a_failing_member_does_not_interrupt_its_siblings(spine: Spine) -> None:
    name = spine.new_name()
    spine.fault("create", "invalid", FOR_EVER, instance=f"{name}-2")
    made = spine.create(name, members=3)
    failed = spine.failed(made)
    statuses = {row.name: row.status for row in spine.instances(made.deployment_id)}
    assert statuses == {name: Status.RUNNING, f"{name}-2": Status.ERROR, f"{name}-3": Status.RUNNING}
    spine.provider.clear_faults()
    done = spine.succeeded(spine.retry(failed.id))
    assert done.instance_ids == [row.id for row in spine.instances(made.deployment_id) if row.name.endswith("-2")]
    assert {row.status for row in spine.instances(made.deployment_id)} == {Status.RUNNING}


def test_a_failing_change_stops_the_roll_and_says_who_was_not_attempted(spine: Spine) -> None:
    made = spine.create_done(members=3, greeting="one")
    first, second, third = spine.instances(made.deployment_id)
    spine.fault("modify", "invalid", FOR_EVER, instance=second.id)
    failed = spine.failed(spine.modify(made.deployment_id, members=3, greeting="two"))
    rows = {row.id: row for row in spine.instances(made.deployment_id)}
    assert [rows[m.id].status for m in (first, second, third)] == [Status.RUNNING, Status.ERROR, Status.RUNNING]
    assert rows[third.id].version == third.version + 1, "accepted, and never touched"
    assert rows[third.id].applied_spec == third.applied_spec
    assert "modify" not in spine.calls(third.id)
    assert [s.status for s in spine.steps(failed.id)][2:4] == [StepStatus.FAILED, StepStatus.SKIPPED]
    spine.provider.clear_faults()
    spine.succeeded(spine.modify(made.deployment_id, members=3, greeting="two"))
    assert set(greetings(spine, made)) == {"two"}
    assert spine.calls(first.id)["modify"] == 1, "what was changed already is left alone"


def test_going_back_to_the_applied_spec_is_the_rollback(spine: Spine) -> None:
    made = spine.create_done(members=2, greeting="one")
    _, second = spine.instances(made.deployment_id)
    spine.fault("modify", "invalid", FOR_EVER, instance=second.id)
    spine.failed(spine.modify(made.deployment_id, members=2, greeting="two"))
    spine.provider.clear_faults()
    spine.succeeded(spine.modify(made.deployment_id, members=2, greeting="one"))
    rows = spine.instances(made.deployment_id)
    assert {row.status for row in rows} == {Status.RUNNING}
    assert set(greetings(spine, made)) == {"one"}


@pytest.mark.parametrize("by", ["service", "temporal signal"])
def test_a_scale_in_that_fails_keeps_the_row_with_its_reason_and_a_retry_finishes_it(
    spine: Spine, by: str
) -> None:
    made = spine.create_done(members=3)
    first, second, third = spine.instances(made.deployment_id)
    calls = [spine.calls(row.id) for row in (first, second)]
    spine.fault("delete", "invalid", FOR_EVER, instance=third.id)
    failed = spine.failed(spine.modify(made.deployment_id, members=2))
    rows = spine.instances(made.deployment_id)
    assert [row.id for row in rows] == [first.id, second.id, third.id], "no row is deleted"
    assert rows[2].status is Status.ERROR
    assert rows[2].error_message == f"simulated invalid in delete of {third.name}"
    assert [row.version for row in rows[:2]] == [first.version, second.version]
    assert [spine.calls(row.id) for row in (first, second)] == calls
    assert "delete" in spine.calls(third.id)
    spine.provider.clear_faults()
    if by == "service":
        again = spine.retry(failed.id).operation_id
    else:
        spine.temporal.cli(
            spine.namespace, "workflow", "signal", "--workflow-id", failed.workflow_id, "--name", "retry"
        )
        again = spine.retry_of(failed.id)
    done = spine.succeeded(again)
    assert done.retry_of == failed.id
    assert [row.id for row in spine.instances(made.deployment_id)] == [first.id, second.id]
    assert [life.instance_id for life in spine.runs(made.deployment_id)] == [third.id]


def test_posting_the_wish_again_also_finishes_a_failed_scale_in(spine: Spine) -> None:
    made = spine.create_done(members=2)
    second = spine.instances(made.deployment_id)[1]
    spine.fault("delete", "invalid", FOR_EVER, instance=second.id)
    spine.failed(spine.modify(made.deployment_id, members=1))
    spine.provider.clear_faults()
    spine.succeeded(spine.modify(made.deployment_id, members=1))
    assert [life.instance_id for life in spine.runs(made.deployment_id)] == [second.id]


def test_a_failed_delete_keeps_the_row_and_nothing_may_start_it_again(spine: Spine) -> None:
    made = spine.create_done()
    row = spine.instance(made.deployment_id)
    spine.fault("delete", "invalid", FOR_EVER, instance=row.id)
    failed = spine.failed(spine.delete(made.deployment_id))
    assert spine.instance(made.deployment_id).status is Status.ERROR
    with pytest.raises(Exception, match="half deleted"):
        spine.act(Operation.START, made.deployment_id)
    spine.provider.clear_faults()
    spine.succeeded(spine.retry(failed.id))
    assert spine.instances(made.deployment_id) == []

"""Cancel in every phase, by the service and by Temporal's own command: one end state each, nothing left over."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from domain.errors import OperationNotAllowed
from domain.lifecycle import Operation, ProvisioningStatus, Status
from domain.operations import ErrorOrigin, OperationStatus
from domain.specs import Accepted
from providers.simulated_faults import FOR_EVER
from services.operations.acceptance import lock_deployment
from services.requests import withdrawals
from tests.support.spine import ME, NEVER, Spine
from tests.support.spines import MakeSpine
from tests.support.workers import wait_for

pytestmark = pytest.mark.servers


def cancel(spine: Spine, accepted: Accepted, by: str) -> None:
    """Cancel as the API does, or as an operator at Temporal's command line does."""
    if by == "service":
        spine.cancel(accepted.operation_id)
    else:
        workflow_id = spine.operation(accepted.operation_id).workflow_id
        spine.temporal.cli(spine.namespace, "workflow", "cancel", "--workflow-id", workflow_id)


def wait_until_blocked(spine: Spine) -> None:
    """Wait until a transaction of this Berth waits for a lock that the test holds."""
    waiting = text(
        "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
    )

    def blocked() -> bool:
        with spine.database.engine.connect() as connection:
            return bool(connection.execute(waiting).scalar_one())

    wait_for(blocked, 15, "nothing waits for the lock")


def test_a_pending_create_is_cancelled_without_any_worker_and_its_rows_say_so(make_spine: MakeSpine) -> None:
    spine = make_spine()
    made = spine.create(members=2)
    spine.cancel(made.operation_id)
    assert spine.operation(made.operation_id).status is OperationStatus.CANCELLED
    for row in spine.instances(made.deployment_id):
        assert (row.status, row.error_code) == (Status.ERROR, "cancelled")
        assert row.error_message == "Never begun: cancelled by tester."
        assert row.provisioning_status is ProvisioningStatus.FAILED
    with pytest.raises(OperationNotAllowed, match="the operation is cancelled"):
        spine.cancel(made.operation_id)
    spine.start_worker()
    spine.succeeded(spine.delete(made.deployment_id))
    assert len(spine.runs(made.deployment_id)) == 2
    spine.invariants()


def test_a_pending_action_is_cancelled_and_leaves_the_instance_as_it_was(make_spine: MakeSpine) -> None:
    spine = make_spine()
    worker = spine.start_worker()
    made = spine.create_done()
    worker.stop()
    asked = spine.act(Operation.STOP, made.deployment_id)
    spine.cancel(asked.operation_id)
    assert spine.instance(made.deployment_id).status is Status.RUNNING
    spine.start_worker()
    spine.succeeded(spine.act(Operation.STOP, made.deployment_id))
    spine.invariants()


def test_cancelled_while_it_plans_by_the_service_it_touches_nothing(spine: Spine) -> None:
    made = spine.create_done()
    with spine.database.begin() as tx:
        asked = spine.act(Operation.STOP, made.deployment_id)
        lock_deployment(tx, made.deployment_id, "default")
        wait_until_blocked(spine)
        withdrawals.cancel(tx, ME, asked.operation_id)
    spine.cancelled(asked)
    assert spine.instance(made.deployment_id).status is Status.RUNNING
    spine.succeeded(spine.act(Operation.RESTART, made.deployment_id))
    assert "stop" not in spine.calls(spine.instance(made.deployment_id).id)


def test_cancelled_while_it_plans_by_temporal_it_is_what_one_look_says(spine: Spine) -> None:
    made = spine.create_done()
    spine.fault("stop", "hang", instance=spine.instance(made.deployment_id).id)
    with spine.database.begin() as tx:
        asked = spine.act(Operation.STOP, made.deployment_id)
        lock_deployment(tx, made.deployment_id, "default")
        wait_until_blocked(spine)
        cancel(spine, asked, "temporal")
    spine.cancelled(asked)
    assert spine.instance(made.deployment_id).status is Status.RUNNING, "what one look says"


@pytest.mark.parametrize("by", ["service", "temporal"])
@pytest.mark.parametrize("fault", ["hang", "unconfirmed"])
def test_a_cancelled_create_removes_what_it_made_and_is_error(spine: Spine, fault: str, by: str) -> None:
    made = spine.create(simulate={"create": {"fault": fault, "seconds": 60}})
    spine.wait_call(made.deployment_id, "create")
    if fault == "unconfirmed":
        spine.wait_operation(made, lambda row: "LAUNCH_ACCEPTED" in spine.event_types(row.id))
    cancel(spine, made, by)
    spine.cancelled(made, seconds=10)
    row = spine.instance(made.deployment_id)
    assert (row.status, row.error_code, row.error_origin) == (Status.ERROR, "cancelled", ErrorOrigin.OPERATION)
    assert row.error_message == "The create was cancelled; what it had made was removed."
    assert row.provisioning_status is ProvisioningStatus.FAILED
    assert spine.inventory(made.deployment_id) == []
    assert "LAUNCH_CANCELLED" in spine.event_types(made.operation_id)


@pytest.mark.parametrize("by", ["service", "temporal"])
@pytest.mark.parametrize(
    ("operation", "end"),
    [(Operation.STOP, Status.RUNNING), (Operation.RESTART, Status.RUNNING), (Operation.START, Status.STOPPED)],
)
def test_a_cancelled_action_ends_as_one_look_says(
    spine: Spine, operation: Operation, end: Status, by: str
) -> None:
    made = spine.create_done()
    if operation is Operation.START:
        spine.succeeded(spine.act(Operation.STOP, made.deployment_id))
    row = spine.instance(made.deployment_id)
    spine.fault(operation.value, "hang", instance=row.id)
    asked = spine.act(operation, made.deployment_id)
    spine.wait_call(made.deployment_id, operation.value)
    cancel(spine, asked, by)
    spine.cancelled(asked, seconds=10)
    assert spine.instance(made.deployment_id).status is end
    assert spine.calls(row.id)["observe"] == 1


def test_a_cancelled_action_is_error_when_the_look_gets_no_answer(spine: Spine) -> None:
    made = spine.create_done()
    row = spine.instance(made.deployment_id)
    spine.fault("stop", "hang", instance=row.id)
    spine.fault("observe", "error", FOR_EVER, instance=row.id)
    asked = spine.act(Operation.STOP, made.deployment_id)
    spine.wait_call(made.deployment_id, "stop")
    spine.cancel(asked.operation_id)
    spine.cancelled(asked, seconds=10)
    row = spine.instance(made.deployment_id)
    assert row.status is Status.ERROR
    assert row.error_message == "The stop was cancelled and the provider gave no answer."
    spine.provider.clear_faults()
    spine.succeeded(spine.act(Operation.START, made.deployment_id))


def test_a_cancelled_roll_keeps_what_is_done_and_leaves_the_rest_alone(spine: Spine) -> None:
    made = spine.create_done(members=3, greeting="one")
    _, second, third = spine.instances(made.deployment_id)
    spine.fault("modify", "hang", instance=second.id)
    asked = spine.modify(made.deployment_id, members=3, greeting="two")
    spine.wait_call(made.deployment_id, "modify", times=2)
    spine.cancel(asked.operation_id)
    spine.cancelled(asked, seconds=10)
    rows = spine.instances(made.deployment_id)
    assert [row.status for row in rows] == [Status.RUNNING] * 3
    changed = {"params": {"greeting": "two"}, "resources": {}}
    assert [row.applied_spec == changed for row in rows] == [True, False, False]
    assert spine.calls(third.id) == {"create": 1}, "nobody even looked at what was not touched"
    spine.succeeded(spine.modify(made.deployment_id, members=3, greeting="two"))


def test_a_delete_that_has_begun_cannot_be_taken_back(spine: Spine) -> None:
    made = spine.create_done()
    spine.fault("delete", "unconfirmed", seconds=NEVER, instance=spine.instance(made.deployment_id).id)
    asked = spine.delete(made.deployment_id)
    spine.wait_operation(asked, lambda row: "TERMINATE_ACCEPTED" in spine.event_types(row.id))
    with pytest.raises(OperationNotAllowed, match="cannot be taken back"):
        spine.cancel(asked.operation_id)
    spine.settles(made.deployment_id)
    spine.succeeded(asked)


def test_a_delete_cancelled_at_temporal_fails_keeps_its_row_and_a_retry_finishes_it(spine: Spine) -> None:
    made = spine.create_done()
    spine.fault("delete", "hang", instance=spine.instance(made.deployment_id).id)
    asked = spine.delete(made.deployment_id)
    spine.wait_call(made.deployment_id, "delete")
    cancel(spine, asked, "temporal")
    failed = spine.failed(asked, seconds=10)
    assert failed.error is not None
    assert failed.error["code"] == "interrupted"
    assert spine.instance(made.deployment_id).status is Status.ERROR
    spine.succeeded(spine.retry(failed.id))


def test_cancelling_what_listens_after_a_failure_only_ends_the_listening(spine: Spine) -> None:
    asked = spine.create(simulate={"create": {"fault": "invalid"}})
    failed = spine.failed(asked)
    assert (failed.phase, failed.parked_until is not None) == ("awaiting_operator", True)
    with pytest.raises(OperationNotAllowed, match="the operation is failed"):
        spine.cancel(failed.id)
    cancel(spine, asked, "temporal")
    closed = spine.wait_operation(asked, lambda row: row.parked_until is None)
    assert (closed.status, closed.phase) == (OperationStatus.FAILED, "done")
    spine.succeeded(spine.retry(failed.id))


def test_two_cancels_are_one(spine: Spine) -> None:
    made = spine.create(simulate={"create": {"fault": "hang"}})
    spine.wait_call(made.deployment_id, "create")
    spine.cancel(made.operation_id)
    spine.cancel(made.operation_id)
    spine.cancelled(made, seconds=10)


def test_a_cancelled_create_of_several_keeps_those_that_are_confirmed(spine: Spine) -> None:
    name = spine.new_name()
    spine.fault("create", "hang", instance=f"{name}-2")
    made = spine.create(name, members=3)
    spine.wait_operation(made, lambda row: spine.event_types(row.id).count("LAUNCH_CONFIRMED") == 2)
    spine.cancel(made.operation_id)
    spine.cancelled(made, seconds=10)
    statuses = {row.name: row.status for row in spine.instances(made.deployment_id)}
    assert statuses == {name: Status.RUNNING, f"{name}-2": Status.ERROR, f"{name}-3": Status.RUNNING}
    assert {item.instance_id for item in spine.inventory(made.deployment_id)} == {
        row.id for row in spine.instances(made.deployment_id) if row.status is Status.RUNNING
    }


def test_a_cancelled_scale_out_keeps_the_new_ones_that_are_confirmed(spine: Spine) -> None:
    made = spine.create_done(members=1, greeting="one")
    first = spine.instance(made.deployment_id)
    spine.fault("modify", "hang", instance=first.id)
    asked = spine.modify(made.deployment_id, members=3, greeting="two")
    spine.wait_call(made.deployment_id, "modify")
    spine.cancel(asked.operation_id)
    spine.cancelled(asked, seconds=10)
    assert [row.status for row in spine.instances(made.deployment_id)] == [Status.RUNNING] * 3
    assert len(spine.inventory(made.deployment_id)) == 3


def test_a_cancelled_scale_in_says_which_member_is_gone_already(spine: Spine) -> None:
    made = spine.create_done(members=3)
    _, second, third = spine.instances(made.deployment_id)
    spine.fault("delete", "hang", instance=second.id)
    asked = spine.modify(made.deployment_id, members=1)
    spine.wait_operation(asked, lambda row: any(s.status == "done" for s in spine.steps(row.id)[1:]))
    spine.wait_call(made.deployment_id, "delete", times=2)
    spine.cancel(asked.operation_id)
    spine.cancelled(asked, seconds=10)
    rows = {row.id: row for row in spine.instances(made.deployment_id)}
    assert (rows[third.id].status, rows[third.id].error_code) == (Status.ERROR, "delete-unfinished")
    assert (rows[second.id].status, rows[second.id].error_code) == (Status.ERROR, "cancelled")
    spine.succeeded(spine.modify(made.deployment_id, members=1))
    assert len(spine.runs(made.deployment_id)) == 2


def test_what_a_cancelled_modify_may_have_changed_is_changed_back(make_spine: MakeSpine) -> None:
    spine = make_spine()
    spine.start_worker()
    made = spine.create_done(greeting="one")
    spine.fault("modify", "error_after_success", times=FOR_EVER)
    asked = spine.modify(made.deployment_id, greeting="two")
    spine.wait_call(made.deployment_id, "modify")
    spine.cancel(asked.operation_id)
    spine.cancelled(asked)
    spine.provider.clear_faults()

    back = spine.succeeded(spine.modify(made.deployment_id, greeting="one"))
    again = spine.succeeded(spine.modify(made.deployment_id, greeting="one"))

    assert (back.changed, again.changed) == (True, False)

"""What a retry repeats, and how what was never made comes to be."""

from __future__ import annotations

import pytest

from domain.errors import OperationNotAllowed
from domain.lifecycle import Operation, ProvisioningStatus, Status
from tests.support.spines import MakeSpine

pytestmark = pytest.mark.servers


def test_a_retry_makes_what_a_cancelled_create_left_in_error(make_spine: MakeSpine) -> None:
    spine = make_spine()
    made = spine.create(members=2)
    spine.cancel(made.operation_id)
    spine.start_worker()
    again = spine.retry(made.operation_id)
    assert spine.succeeded(again).retry_of == made.operation_id
    for row in spine.instances(made.deployment_id):
        assert (row.status, row.provisioning_status) == (Status.RUNNING, ProvisioningStatus.COMPLETED)
    spine.invariants()


@pytest.mark.parametrize("operation", [Operation.START, Operation.RESTART])
def test_starting_what_was_never_made_makes_it(make_spine: MakeSpine, operation: Operation) -> None:
    spine = make_spine()
    spine.start_worker()
    made = spine.create(params={"simulate": {"create": {"fault": "invalid"}}})
    spine.failed(made)
    spine.succeeded(spine.act(operation, made.deployment_id))
    (row,) = spine.instances(made.deployment_id)
    assert row.status is Status.RUNNING
    assert row.provisioning_status is ProvisioningStatus.COMPLETED
    assert row.launch_confirmed_at is not None
    spine.invariants()


def test_an_older_failure_cannot_be_retried_once_a_delete_has_begun(make_spine: MakeSpine) -> None:
    spine = make_spine()
    spine.start_worker()
    made = spine.create_done()
    row = spine.instance(made.deployment_id)
    spine.fault("restart", "invalid", instance=row.id)
    older = spine.act(Operation.RESTART, made.deployment_id)
    spine.failed(older)
    spine.fault("delete", "invalid", instance=row.id)
    gone = spine.delete(made.deployment_id)
    spine.failed(gone)
    with pytest.raises(OperationNotAllowed, match="retry the instance itself"):
        spine.retry(older.operation_id)
    spine.succeeded(spine.retry(gone.operation_id))
    assert spine.instances(made.deployment_id) == []


def test_a_retry_repeats_only_what_its_operation_was_the_last_to_fail_on(make_spine: MakeSpine) -> None:
    spine = make_spine()
    spine.start_worker()
    made = spine.create_done(members=2)
    first, second = spine.instances(made.deployment_id)
    for row in (first, second):
        spine.fault("stop", "invalid", instance=row.id)
    both = spine.act(Operation.STOP, made.deployment_id)
    spine.failed(both)
    spine.fault("restart", "invalid", instance=second.id)
    later = spine.act(Operation.RESTART, made.deployment_id, second.id)
    spine.failed(later)
    again = spine.retry(both.operation_id)
    spine.succeeded(again)
    assert spine.operation(again.operation_id).instance_ids == [first.id]
    spine.succeeded(spine.retry(later.operation_id))
    spine.invariants()

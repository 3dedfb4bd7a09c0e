"""An instance whose create never succeeded: start and retry make it, whatever ended the create."""

from __future__ import annotations

import pytest

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

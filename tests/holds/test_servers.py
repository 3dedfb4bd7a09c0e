"""A dedicated database server rests while what it serves is suspended, and is there before what needs it."""

from __future__ import annotations

import pytest

from domain.errors import OnHold
from domain.holds import HoldCause
from domain.lifecycle import Operation, Status
from domain.specs import Accepted
from services.views.holds import read
from tests.support.allocations import DEDICATED, operations_of, server
from tests.support.holds import suspended, unsuspended
from tests.support.spine import Spine
from tests.support.workers import wait_for

pytestmark = pytest.mark.servers
BILLING = HoldCause.BILLING
STARTING = [Operation.START, Operation.RESTART]


def server_rests(spine: Spine, made: Accepted) -> bool:
    row = server(spine, made)
    done = all(operation.status.done for operation in operations_of(spine, row.name))
    return done and row.status is Status.STOPPED


def test_a_dedicated_database_server_rests_while_what_it_serves_is_suspended(spine: Spine) -> None:
    made = spine.create_done(database=DEDICATED)
    beside = server(spine, made).deployment_id

    spine.succeeded(suspended(spine, made.deployment_id, BILLING))
    wait_for(lambda: server_rests(spine, made), 30, "the server runs on")
    for operation in STARTING:
        with pytest.raises(OnHold, match="whose database it holds"):
            spine.act(operation, beside)
    with pytest.raises(OnHold, match="not yours to lift"):
        unsuspended(spine, beside)
    with spine.database.read() as session:
        shown = read(session, {beside})
    assert [hold.of for hold in shown.standing(beside)] == [spine.instance(made.deployment_id).name]

    spine.succeeded(unsuspended(spine, made.deployment_id, BILLING))
    assert spine.instance(made.deployment_id).status is Status.RUNNING
    assert server(spine, made).status is Status.RUNNING
    spine.succeeded(spine.act(Operation.RESTART, beside))


def test_the_server_of_an_unsuspension_that_failed_rests_again(spine: Spine) -> None:
    made = spine.create_done(database=DEDICATED)
    spine.succeeded(suspended(spine, made.deployment_id))
    wait_for(lambda: server_rests(spine, made), 30, "the server runs on")
    spine.fault("start", "invalid", instance=spine.instance(made.deployment_id).id)
    spine.failed(unsuspended(spine, made.deployment_id))

    wait_for(lambda: server_rests(spine, made), 30, "the server runs on")
    spine.succeeded(spine.delete(made.deployment_id))
    assert spine.instances(made.deployment_id) == []

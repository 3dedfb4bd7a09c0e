"""Holds and force where the provider takes its time: a run that hangs, a stop that is confirmed later."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import update

from db.models import OperationRow
from db.session import Tx
from domain.errors import OnHold
from domain.holds import HoldCause
from domain.lifecycle import Operation, Status
from domain.operations import OperationStatus
from domain.specs import Accepted
from services.requests import withdrawals
from services.requests.force import stop_by_force
from tests.support.holds import holds, suspended, unsuspended
from tests.support.spine import ME, NEVER, Spine

pytestmark = pytest.mark.servers
BILLING, ADMIN = HoldCause.BILLING, HoldCause.ADMIN


def test_a_stop_by_force_ends_a_run_that_hangs_and_then_stops(spine: Spine) -> None:
    made = spine.create_done()
    row = spine.instance(made.deployment_id)
    spine.fault("restart", "hang", instance=row.id)
    hanging = spine.act(Operation.RESTART, made.deployment_id)
    spine.wait_call(made.deployment_id, "restart")

    def overdue_and_forced(tx: Tx) -> Accepted:
        """In one transaction, before the keeper asks the overdue run to stop."""
        past = {"deadline_at": tx.now - timedelta(seconds=1)}
        tx.run(update(OperationRow).where(OperationRow.id == hanging.operation_id).values(**past))
        return stop_by_force(tx, ME, made.deployment_id, row.id)

    stop = spine.write(overdue_and_forced)

    operation = spine.succeeded(stop)
    assert (operation.kind, operation.forced) == (Operation.STOP, True)
    ended = spine.cancelled(hanging)
    assert ended.pre_empted_by == stop.operation_id
    assert spine.instance(made.deployment_id).status is Status.STOPPED
    assert spine.inventory(made.deployment_id)[0].state == "stopped"


def test_a_delete_by_force_does_not_wait_for_the_call_that_hangs(spine: Spine) -> None:
    made = spine.create_done()
    spine.fault("delete", "hang", instance=spine.instance(made.deployment_id).id)
    hanging = spine.delete(made.deployment_id)
    spine.wait_call(made.deployment_id, "delete")

    def overdue_and_forced(tx: Tx) -> Accepted:
        past = {"deadline_at": tx.now - timedelta(seconds=1)}
        tx.run(update(OperationRow).where(OperationRow.id == hanging.operation_id).values(**past))
        return withdrawals.delete(tx, ME, made.deployment_id, force=True)

    again = spine.write(overdue_and_forced)

    assert spine.succeeded(again, seconds=20).forced
    assert spine.operation(hanging.operation_id).pre_empted_by == again.operation_id
    assert spine.instances(made.deployment_id) == []
    assert spine.inventory(made.deployment_id) == []


def test_a_suspension_that_is_confirmed_later_waits_for_it_and_so_does_its_end(spine: Spine) -> None:
    made = spine.create_done()
    row = spine.instance(made.deployment_id)
    spine.fault("stop", "unconfirmed", seconds=NEVER, instance=row.id)
    spine.fault("start", "unconfirmed", seconds=NEVER, instance=row.id)

    accepted = suspended(spine, made.deployment_id)
    spine.wait_call(made.deployment_id, "observe", 2)
    assert [hold.cause for hold in holds(spine, made.deployment_id)] == [ADMIN]
    assert spine.operation(accepted.operation_id).status is OperationStatus.RUNNING
    spine.settles(made.deployment_id)
    spine.succeeded(accepted)
    assert spine.instance(made.deployment_id).status is Status.SUSPENDED
    assert spine.inventory(made.deployment_id)[0].state == "stopped"

    looks = spine.calls(row.id)["observe"]
    lifting = unsuspended(spine, made.deployment_id)
    spine.wait_call(made.deployment_id, "observe", looks + 2)
    assert len(holds(spine, made.deployment_id)) == 1, "it stands until it is up again"
    spine.settles(made.deployment_id)
    spine.succeeded(lifting)
    assert spine.instance(made.deployment_id).status is Status.RUNNING
    assert holds(spine, made.deployment_id) == []


def test_an_administrators_hold_joins_the_one_of_billing_and_outlives_it(spine: Spine) -> None:
    made = spine.create_done()
    spine.succeeded(suspended(spine, made.deployment_id, BILLING))
    stops = spine.calls(spine.instance(made.deployment_id).id)["stop"]

    spine.succeeded(suspended(spine, made.deployment_id, ADMIN, note="abuse"))
    assert {hold.cause for hold in holds(spine, made.deployment_id)} == {ADMIN, BILLING}
    spine.succeeded(unsuspended(spine, made.deployment_id, BILLING))

    row = spine.instance(made.deployment_id)
    assert (row.status, spine.calls(row.id)["stop"]) == (Status.SUSPENDED, stops)
    with pytest.raises(OnHold, match="not yours to lift"):
        unsuspended(spine, made.deployment_id, BILLING)
    spine.succeeded(unsuspended(spine, made.deployment_id, ADMIN))
    assert spine.instance(made.deployment_id).status is Status.RUNNING

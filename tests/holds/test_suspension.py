"""Suspend and unsuspend on a whole spine: the hold at acceptance, every end, and who may lift what."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import select, update

from db.models import Instance, OperationRow
from db.session import Tx
from domain.errors import OnHold, OperationNotAllowed, Refused
from domain.holds import HoldCause
from domain.lifecycle import Operation, Status
from domain.operations import ErrorOrigin
from domain.specs import Accepted
from services.requests.suspension import stop_suspended
from tests.support.holds import (
    begin_maintenance,
    end_maintenance,
    holds,
    suspended,
    unsuspended,
    windows,
)
from tests.support.spine import NEVER, Spine
from tests.support.workers import wait_for

pytestmark = pytest.mark.servers
BILLING, ADMIN = HoldCause.BILLING, HoldCause.ADMIN
STARTING = [Operation.START, Operation.RESTART]


def test_a_suspension_stops_what_runs_and_its_end_starts_it_again(spine: Spine) -> None:
    made = spine.create_done()
    hold = suspended(spine, made.deployment_id, note="asked by mail", delete_after_seconds=3600)
    standing = holds(spine, made.deployment_id)

    assert [(h.cause, h.actor, h.note) for h in standing] == [(ADMIN, "tester", "asked by mail")]
    assert standing[0].deletes_at is not None
    spine.succeeded(hold)
    row = spine.instance(made.deployment_id)
    assert (row.status, row.suspended_from) == (Status.SUSPENDED, "running")
    assert spine.inventory(made.deployment_id)[0].state == "stopped"

    spine.succeeded(unsuspended(spine, made.deployment_id))
    row = spine.instance(made.deployment_id)
    assert (row.status, row.suspended_from) == (Status.RUNNING, None)
    assert spine.inventory(made.deployment_id)[0].state == "running"
    assert holds(spine, made.deployment_id) == []


def test_what_was_stopped_is_stopped_again_afterwards(spine: Spine) -> None:
    made = spine.create_done()
    spine.succeeded(spine.act(Operation.STOP, made.deployment_id))
    starts = spine.calls(spine.instance(made.deployment_id).id).get("start", 0)

    spine.succeeded(suspended(spine, made.deployment_id))
    assert spine.instance(made.deployment_id).status is Status.SUSPENDED
    spine.succeeded(unsuspended(spine, made.deployment_id))

    row = spine.instance(made.deployment_id)
    assert row.status is Status.STOPPED
    assert spine.calls(row.id).get("start", 0) == starts


def test_every_member_is_suspended_and_comes_back_as_it_was(spine: Spine) -> None:
    made = spine.create_done(members=3)
    first = spine.instances(made.deployment_id)[0]
    spine.succeeded(spine.act(Operation.STOP, made.deployment_id, first.id))

    spine.succeeded(suspended(spine, made.deployment_id))
    assert {row.status for row in spine.instances(made.deployment_id)} == {Status.SUSPENDED}
    spine.succeeded(unsuspended(spine, made.deployment_id))

    statuses = [row.status for row in spine.instances(made.deployment_id)]
    assert statuses == [Status.STOPPED, Status.RUNNING, Status.RUNNING]


def test_maintenance_goes_on_after_a_suspension(spine: Spine) -> None:
    made = spine.create_done()
    row = spine.instance(made.deployment_id)
    begin_maintenance(spine, row.id)

    spine.succeeded(suspended(spine, made.deployment_id))
    assert spine.instance(made.deployment_id).status is Status.SUSPENDED
    spine.succeeded(unsuspended(spine, made.deployment_id))

    assert spine.instance(made.deployment_id).status is Status.MAINTENANCE
    assert spine.inventory(made.deployment_id)[0].state == "running"
    end_maintenance(spine, row.id)
    assert spine.instance(made.deployment_id).status is Status.RUNNING
    assert windows(spine, row.id) == []


def test_what_was_never_made_is_suspended_and_made_when_the_hold_is_lifted(spine: Spine) -> None:
    made = spine.create(simulate={"create": {"fault": "invalid"}})
    spine.failed(made)

    spine.succeeded(suspended(spine, made.deployment_id))
    assert spine.instance(made.deployment_id).status is Status.SUSPENDED
    spine.succeeded(unsuspended(spine, made.deployment_id))

    assert spine.instance(made.deployment_id).status is Status.RUNNING


@pytest.mark.parametrize("cause", [BILLING, ADMIN])
@pytest.mark.parametrize("operation", STARTING)
def test_a_hold_refuses_what_starts_from_its_acceptance_on(
    spine: Spine, cause: HoldCause, operation: Operation
) -> None:
    made = spine.create_done()
    accepted = suspended(spine, made.deployment_id, cause)

    with pytest.raises(Refused):
        spine.act(operation, made.deployment_id)
    spine.succeeded(accepted)
    with pytest.raises(OperationNotAllowed):
        spine.act(operation, made.deployment_id)
    with pytest.raises(OperationNotAllowed):
        spine.modify(made.deployment_id, members=2)


@pytest.mark.parametrize("cause", [BILLING, ADMIN])
def test_only_its_owner_lifts_a_hold(spine: Spine, cause: HoldCause) -> None:
    made = spine.create_done()
    spine.succeeded(suspended(spine, made.deployment_id, cause))
    other = ADMIN if cause is BILLING else BILLING

    with pytest.raises(OnHold, match="not yours to lift"):
        unsuspended(spine, made.deployment_id, other)
    spine.succeeded(unsuspended(spine, made.deployment_id, cause))


def test_two_holds_stand_side_by_side_and_the_last_one_lifted_starts_it(spine: Spine) -> None:
    made = spine.create_done()
    spine.succeeded(suspended(spine, made.deployment_id, ADMIN))
    second = suspended(spine, made.deployment_id, BILLING)

    spine.succeeded(second)
    assert {h.cause for h in holds(spine, made.deployment_id)} == {ADMIN, BILLING}
    spine.succeeded(unsuspended(spine, made.deployment_id, BILLING))
    assert spine.instance(made.deployment_id).status is Status.SUSPENDED
    spine.succeeded(unsuspended(spine, made.deployment_id, ADMIN))
    assert spine.instance(made.deployment_id).status is Status.RUNNING


def test_a_failed_suspension_is_an_error_with_the_hold_standing(spine: Spine) -> None:
    made = spine.create_done()
    row = spine.instance(made.deployment_id)
    spine.fault("stop", "invalid", instance=row.id)
    failed = spine.failed(suspended(spine, made.deployment_id))

    assert spine.instance(made.deployment_id).status is Status.ERROR
    assert len(holds(spine, made.deployment_id)) == 1
    asks: list[Callable[[], object]] = [
        lambda: spine.act(Operation.START, made.deployment_id),
        lambda: spine.act(Operation.RESTART, made.deployment_id),
        lambda: spine.retry(failed.id),
        lambda: spine.modify(made.deployment_id, greeting="other"),
    ]
    for ask in asks:
        with pytest.raises(OnHold, match="tester suspended it"):
            ask()
    spine.succeeded(suspended(spine, made.deployment_id))
    assert spine.instance(made.deployment_id).status is Status.SUSPENDED
    spine.succeeded(unsuspended(spine, made.deployment_id))
    assert spine.instance(made.deployment_id).status is Status.RUNNING


def test_a_failed_suspension_can_be_lifted_from_its_error(spine: Spine) -> None:
    made = spine.create_done()
    spine.fault("stop", "invalid", instance=spine.instance(made.deployment_id).id)
    spine.failed(suspended(spine, made.deployment_id))

    spine.succeeded(unsuspended(spine, made.deployment_id))

    assert spine.instance(made.deployment_id).status is Status.RUNNING
    assert holds(spine, made.deployment_id) == []


def test_a_failed_unsuspension_stays_suspended_and_says_why(spine: Spine) -> None:
    made = spine.create_done()
    spine.succeeded(suspended(spine, made.deployment_id))
    spine.fault("start", "invalid", instance=spine.instance(made.deployment_id).id)
    spine.failed(unsuspended(spine, made.deployment_id))

    row = spine.instance(made.deployment_id)
    assert row.status is Status.SUSPENDED
    assert row.error_message
    assert len(holds(spine, made.deployment_id)) == 1
    spine.succeeded(unsuspended(spine, made.deployment_id))
    assert spine.instance(made.deployment_id).error_message is None


def test_a_cancelled_suspension_is_taken_back_with_its_hold(spine: Spine) -> None:
    made = spine.create_done()
    row = spine.instance(made.deployment_id)
    spine.fault("stop", "hang", instance=row.id)
    accepted = suspended(spine, made.deployment_id)
    spine.wait_call(made.deployment_id, "stop")
    spine.cancel(accepted.operation_id)
    spine.cancelled(accepted)

    row = spine.instance(made.deployment_id)
    assert (row.status, row.suspended_from) == (Status.RUNNING, None)
    assert holds(spine, made.deployment_id) == []


def test_billings_suspension_cannot_be_cancelled_by_others(spine: Spine) -> None:
    made = spine.create_done()
    spine.fault("stop", "unconfirmed", seconds=NEVER, instance=spine.instance(made.deployment_id).id)
    accepted = suspended(spine, made.deployment_id, BILLING)

    with pytest.raises(OnHold, match="billing lifts it"):
        spine.cancel(accepted.operation_id)
    spine.wait_call(made.deployment_id, "observe")
    spine.settles(made.deployment_id)
    spine.succeeded(accepted)


def test_cancelling_billings_suspension_is_nobody_elses_although_an_administrators_hold_stands_too(
    spine: Spine,
) -> None:
    made = spine.create_done()
    row = spine.instance(made.deployment_id)
    spine.fault("stop", "invalid", instance=row.id)
    spine.failed(suspended(spine, made.deployment_id))
    spine.fault("stop", "unconfirmed", seconds=NEVER, instance=row.id)
    accepted = suspended(spine, made.deployment_id, BILLING)
    with pytest.raises(OnHold, match="billing lifts it"):
        spine.cancel(accepted.operation_id)
    spine.wait_call(made.deployment_id, "observe")
    spine.settles(made.deployment_id)
    spine.succeeded(accepted)
    assert {hold.cause for hold in holds(spine, made.deployment_id)} == {ADMIN, BILLING}


def is_suspended(spine: Spine, made: Accepted) -> bool:
    return spine.instance(made.deployment_id).status is Status.SUSPENDED


@pytest.mark.parametrize("cause", [BILLING, ADMIN])
def test_a_cancel_at_temporals_side_lifts_nobodys_hold(spine: Spine, cause: HoldCause) -> None:
    made = spine.create_done()
    spine.fault("stop", "hang", instance=spine.instance(made.deployment_id).id)
    accepted = suspended(spine, made.deployment_id, cause)
    spine.wait_call(made.deployment_id, "stop")

    workflow_id = spine.operation(accepted.operation_id).workflow_id
    spine.temporal.cli(spine.namespace, "workflow", "cancel", "--workflow-id", workflow_id)

    spine.cancelled(accepted)
    assert [hold.cause for hold in holds(spine, made.deployment_id)] == [cause]
    mine = select(OperationRow).where(OperationRow.deployment_id == made.deployment_id)
    wait_for(lambda: all(row.status.done for row in spine.rows(mine)) and is_suspended(spine, made), 30, "it runs")


def test_nothing_is_made_in_place_of_what_is_half_deleted_under_a_hold(spine: Spine) -> None:
    made = spine.create_done()
    spine.succeeded(suspended(spine, made.deployment_id, BILLING))
    spine.fault("delete", "invalid", instance=spine.instance(made.deployment_id).id)
    spine.failed(spine.delete(made.deployment_id))

    with pytest.raises(OnHold, match="billing lifts it"):
        spine.modify(made.deployment_id)

    assert [row.status for row in spine.instances(made.deployment_id)] == [Status.ERROR]


def test_a_crash_later_does_not_bring_back_a_suspension_whose_hold_is_gone(spine: Spine) -> None:
    made = spine.create_done()
    row = spine.instance(made.deployment_id)
    spine.fault("stop", "invalid", instance=row.id)
    failed = spine.failed(suspended(spine, made.deployment_id))
    spine.succeeded(unsuspended(spine, made.deployment_id))
    crashed = {"status": Status.ERROR, "error_origin": ErrorOrigin.MONITOR, "error_message": "it has crashed"}
    spine.write(lambda tx: tx.run(update(Instance).where(Instance.id == row.id).values(**crashed)))

    with pytest.raises(OperationNotAllowed, match="last to fail on"):
        spine.retry(failed.id)


def test_a_cancelled_unsuspension_stays_suspended(spine: Spine) -> None:
    made = spine.create_done()
    spine.succeeded(suspended(spine, made.deployment_id))
    spine.fault("start", "hang", instance=spine.instance(made.deployment_id).id)
    accepted = unsuspended(spine, made.deployment_id)
    spine.wait_call(made.deployment_id, "start")
    spine.cancel(accepted.operation_id)
    spine.cancelled(accepted)

    assert spine.instance(made.deployment_id).status is Status.SUSPENDED
    assert len(holds(spine, made.deployment_id)) == 1


def test_a_delete_goes_through_a_hold(spine: Spine) -> None:
    made = spine.create_done()
    spine.succeeded(suspended(spine, made.deployment_id))

    spine.succeeded(spine.delete(made.deployment_id))

    assert spine.instances(made.deployment_id) == []
    assert holds(spine, made.deployment_id) == []


def test_what_runs_although_it_is_suspended_is_stopped_again(spine: Spine) -> None:
    """The monitor's seam: it saw the suspended instance up."""
    made = spine.create_done()
    spine.succeeded(suspended(spine, made.deployment_id))
    row = spine.instance(made.deployment_id)
    stops = spine.calls(row.id)["stop"]

    again = spine.write(lambda tx: stop_suspended(tx, row.id))

    assert again is not None
    operation = spine.succeeded(again)
    assert (operation.kind, operation.source) == (Operation.SUSPEND, "monitor")
    assert spine.calls(row.id)["stop"] == stops + 1
    assert spine.instance(made.deployment_id).status is Status.SUSPENDED


def test_the_keeper_enforces_a_hold_on_what_rests_elsewhere(spine: Spine) -> None:
    """Should a member of a held deployment ever rest running, it is suspended by Berth itself."""
    made = spine.create_done()
    spine.succeeded(suspended(spine, made.deployment_id))
    row = spine.instance(made.deployment_id)

    def astray(tx: Tx) -> None:
        stray = {"status": Status.STOPPED, "version": Instance.version + 1}
        tx.session.execute(update(Instance).where(Instance.id == row.id).values(**stray))

    spine.write(astray)

    query = select(OperationRow.id).where(
        OperationRow.deployment_id == made.deployment_id, OperationRow.actor == "berth"
    )
    wait_for(lambda: bool(spine.rows(query)), 60, "not enforced")
    spine.succeeded(spine.rows(query)[0])
    assert spine.instance(made.deployment_id).status is Status.SUSPENDED

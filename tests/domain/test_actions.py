"""The rows of `allowed_actions`: the buttons of each status, and a reason for everything that is disabled."""

from __future__ import annotations

import itertools

import pytest

from domain.actions import CANCEL, FORCED, Action, Holder, Situation, actions, enabled
from domain.holds import HoldCause, Standing
from domain.lifecycle import IN_PROGRESS, Operation, Role, Status
from domain.operations import ErrorOrigin, OperationStatus, Source

pytestmark = pytest.mark.unit
EVERYTHING = frozenset(Operation)
BILLINGS = Standing(HoldCause.BILLING, "billing")
ADMINS = Standing(HoldCause.ADMIN, "ana")
BUTTONS = {
    Status.RUNNING: {"stop", "restart", "modify", "backup", "suspend", "maintenance_on", "delete"},
    Status.STOPPED: {"start", "modify", "backup", "restore", "delete"},
    Status.SUSPENDED: {"unsuspend", "delete"},
    Status.MAINTENANCE: {"maintenance_off", "delete"},
    Status.ERROR: {"retry", "start", "restart", "restore", "delete"},
    Status.TERMINATED: set(),
}


def at(status: Status, **more: object) -> Situation:
    base = {"role": Role.STANDALONE, "blueprint": "any", "offered": EVERYTHING}
    return Situation(status, **{**base, **more})  # type: ignore[arg-type]


def buttons(situation: Situation) -> set[str]:
    return {row.action for row in actions(situation) if row.button}


@pytest.mark.parametrize("status", BUTTONS)
def test_the_buttons_of_a_settled_status(status: Status) -> None:
    assert buttons(at(status, repeatable=status is Status.ERROR)) == BUTTONS[status]


def test_only_a_replica_shows_promote() -> None:
    assert "promote" in buttons(at(Status.RUNNING, role=Role.REPLICA))
    assert "promote" not in buttons(at(Status.RUNNING, role=Role.PRIMARY))


@pytest.mark.parametrize("status", sorted(IN_PROGRESS))
def test_in_progress_cancel_and_delete_are_the_buttons(status: Status) -> None:
    holder = Holder("op_1", Operation.RESTART, OperationStatus.RUNNING)
    situation = at(status, holder=holder)

    assert buttons(situation) == {"delete", CANCEL}
    assert set(enabled(situation)) == {"delete", CANCEL}


def test_a_stuck_instance_shows_forget_and_force_beside_them() -> None:
    holder = Holder("op_1", Operation.RESTART, OperationStatus.RUNNING)

    shown = buttons(at(Status.RESTARTING, holder=holder, stuck=True))

    assert shown == {"delete", CANCEL, "forget", "force_stop", "force_delete"}


@pytest.mark.parametrize(
    ("kind", "status", "offered"),
    [
        (Operation.STOP, Status.STOPPING, {"force_stop", "force_delete"}),
        (Operation.CREATE, Status.CREATING, {"force_delete"}),
        (Operation.DELETE, Status.DELETING, {"force_delete"}),
        (Operation.SUSPEND, Status.STOPPING, {"force_delete"}),
    ],
)
def test_force_is_offered_where_it_can_end_what_is_stuck(
    kind: Operation, status: Status, offered: set[str]
) -> None:
    holder = Holder("op_1", kind, OperationStatus.RUNNING)

    assert {r.action for r in actions(at(status, holder=holder, stuck=True)) if r.action in FORCED} == offered
    assert not {r.action for r in actions(at(status, holder=holder)) if r.action in FORCED}


@pytest.mark.parametrize("status", [Status.STOPPED, Status.RUNNING, Status.ERROR, Status.MAINTENANCE])
def test_while_a_hold_stands_nothing_starts_whatever_the_status(status: Status) -> None:
    rows = {r.action: r for r in actions(at(status, holds=(BILLINGS,), repeatable=True))}

    for name in ("start", "restart", "restore", "promote", "retry"):
        assert not rows[name].enabled
    if status in {Status.STOPPED, Status.ERROR}:
        assert "payment" in (rows["start"].reason or "")
    assert rows["delete"].enabled


def test_a_hold_is_lifted_by_its_owner_only() -> None:
    def unsuspend(*holds: Standing) -> Action:
        return next(r for r in actions(at(Status.SUSPENDED, holds=holds)) if r.action == "unsuspend")

    assert unsuspend(ADMINS).enabled
    assert unsuspend(ADMINS, BILLINGS).enabled
    assert "billing lifts it when a payment succeeds" in (unsuspend(BILLINGS).reason or "")


def test_a_failed_suspension_offers_to_repeat_or_to_lift_it() -> None:
    assert buttons(at(Status.ERROR, holds=(ADMINS,), repeatable=True)) == {"suspend", "unsuspend", "delete"}


def test_what_is_half_deleted_is_deleted_on_under_a_hold_too() -> None:
    situation = at(Status.ERROR, holds=(ADMINS,), repeatable=True, delete_begun=True)

    assert set(enabled(situation)) == {"retry", "delete", "forget"}


def test_billings_suspension_is_not_cancelled_by_others() -> None:
    holder = Holder("op_1", Operation.SUSPEND, OperationStatus.RUNNING)

    assert CANCEL not in enabled(at(Status.STOPPING, holder=holder, holds=(BILLINGS,)))
    assert CANCEL in enabled(at(Status.STOPPING, holder=holder, holds=(ADMINS,)))


def test_billings_suspension_is_not_cancelled_although_an_administrators_hold_stands_beside_it() -> None:
    billings = Holder("op_1", Operation.SUSPEND, OperationStatus.RUNNING, source=Source.BILLING)
    admins = Holder("op_1", Operation.SUSPEND, OperationStatus.RUNNING, source=Source.USER)
    both = (ADMINS, BILLINGS)

    refused = next(r for r in actions(at(Status.STOPPING, holder=billings, holds=both)) if r.action == CANCEL)
    assert not refused.enabled
    assert "billing lifts it" in (refused.reason or "")
    assert CANCEL in enabled(at(Status.STOPPING, holder=admins, holds=both))


def test_what_is_protected_cannot_be_deleted_also_not_by_force() -> None:
    holder = Holder("op_1", Operation.STOP, OperationStatus.RUNNING)
    stuck = at(Status.STOPPING, holder=holder, stuck=True, protected=True)

    assert not {"delete", "force_delete"} & set(enabled(stuck))
    assert "deletion_protection" in (
        next(r for r in actions(at(Status.RUNNING, protected=True)) if r.action == "delete").reason or ""
    )


def test_planned_maintenance_can_be_taken_back_before_it_begins() -> None:
    assert "maintenance_off" in enabled(at(Status.RUNNING, maintenance_planned=True))
    assert "maintenance_off" not in enabled(at(Status.RUNNING))


def test_what_a_lost_host_holds_can_be_forgotten_although_an_operation_waits_for_it() -> None:
    holder = Holder("op_1", Operation.DELETE, OperationStatus.RUNNING)

    assert "forget" in enabled(at(Status.DELETING, holder=holder, host_lost=True))
    assert "forget" not in enabled(at(Status.DELETING, holder=holder))


@pytest.mark.parametrize(
    ("kind", "status", "can"),
    [
        (Operation.STOP, OperationStatus.PENDING, True),
        (Operation.STOP, OperationStatus.RUNNING, True),
        (Operation.DELETE, OperationStatus.PENDING, True),
        (Operation.DELETE, OperationStatus.RUNNING, False),
    ],
)
def test_a_delete_that_has_begun_is_all_that_cannot_be_cancelled(
    kind: Operation, status: OperationStatus, can: bool
) -> None:
    assert (CANCEL in enabled(at(Status.STOPPING, holder=Holder("op_1", kind, status)))) == can


def test_a_siblings_operation_is_named_and_cannot_be_cancelled_from_here() -> None:
    holder = Holder("op_7", Operation.STOP, OperationStatus.RUNNING, touches=False)
    rows = {row.action: row for row in actions(at(Status.RUNNING, holder=holder))}

    assert "op_7" in (rows["restart"].reason or "")
    assert not rows[CANCEL].enabled
    assert rows["delete"].enabled


def test_what_a_blueprint_cannot_do_is_disabled_with_the_reason() -> None:
    row = next(r for r in actions(at(Status.RUNNING, offered=frozenset())) if r.action == "stop")

    assert row.button
    assert (row.enabled, row.reason) == (False, "any cannot do this")


def test_what_this_version_does_not_carry_out_is_disabled_with_the_reason() -> None:
    row = next(r for r in actions(at(Status.RUNNING)) if r.action == "backup")

    assert (row.enabled, row.reason) == (False, "not available in this version")


def test_a_monitors_error_is_started_not_retried() -> None:
    row = next(r for r in actions(at(Status.ERROR, error_origin=ErrorOrigin.MONITOR)) if r.action == "retry")

    assert not row.enabled
    assert "use start" in (row.reason or "")


def test_every_row_of_every_situation_is_enabled_or_has_a_reason() -> None:
    holders = [None, *(Holder("op_1", k, s) for k in (Operation.STOP, Operation.DELETE) for s in OperationStatus)]
    for status, holder, begun, lost in itertools.product(Status, holders, (True, False), (True, False)):
        rows = actions(at(status, holder=holder, delete_begun=begun, host_lost=lost))
        assert [r.action for r in rows] == [*Operation, CANCEL]
        assert all(row.enabled != bool(row.reason) for row in rows)

"""The rows of `allowed_actions`: the buttons of each status, and a reason for everything that is disabled."""

from __future__ import annotations

import itertools

import pytest

from domain.actions import CANCEL, Holder, Situation, actions, enabled
from domain.lifecycle import IN_PROGRESS, Operation, Role, Status
from domain.operations import ErrorOrigin, OperationStatus

pytestmark = pytest.mark.unit
EVERYTHING = frozenset(Operation)
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


def test_a_stuck_instance_shows_forget_beside_them() -> None:
    holder = Holder("op_1", Operation.RESTART, OperationStatus.RUNNING)

    assert buttons(at(Status.RESTARTING, holder=holder, stuck=True)) == {"delete", CANCEL, "forget"}


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

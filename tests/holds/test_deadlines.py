"""Every in-progress status has a live owner and a deadline; what is stuck has a way out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from db.models import Deployment, Host, Instance, LifecycleEvent, OperationRow
from db.session import FixedClock, Tx
from domain.errors import OperationNotAllowed, Protected
from domain.lifecycle import IN_PROGRESS, Operation, ProvisioningStatus, Status
from domain.operations import ErrorOrigin, OperationStatus
from domain.specs import Accepted
from keeper.facts import overdue_to_cancel
from keeper.upkeep import Upkeep
from services.billing.duties import BillingRules
from services.requests import withdrawals
from services.requests.force import stop_by_force
from services.requests.forgetting import forget
from tests.support.api import add_host
from tests.support.holds import settle
from tests.support.spine import ME, Spine

pytestmark = pytest.mark.servers
NOON = datetime.fromisoformat("2030-01-01T12:00:00+00:00")


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(NOON)


@pytest.fixture
def timed(make_spine: Any, clock: FixedClock) -> Spine:
    """A Berth without a worker whose records have this clock."""
    made: Spine = make_spine()
    made.database.clock = clock
    return made


def upkeep(spine: Spine) -> None:
    async def nobody(_found: object) -> None:
        return None

    asyncio.run(Upkeep(spine.database, BillingRules(), nobody).round())


def begun(spine: Spine, clock: FixedClock, operation_id: str, seconds: float = 60) -> None:
    """As Plan would leave it: running, with its statuses and a deadline."""

    def work(tx: Tx) -> None:
        deadline = clock.at + timedelta(seconds=seconds)
        tx.session.execute(
            update(OperationRow)
            .where(OperationRow.id == operation_id)
            .values(status=OperationStatus.RUNNING, started_at=tx.now, deadline_at=deadline)
        )

    spine.write(work)


def busy(spine: Spine, accepted: Accepted, status: Status) -> None:
    spine.write(
        lambda tx: tx.session.execute(
            update(Instance)
            .where(Instance.deployment_id == accepted.deployment_id)
            .values(status=status, operation_id=accepted.operation_id, updated_at=tx.now)
        )
    )


@pytest.mark.parametrize("status", sorted(IN_PROGRESS))
def test_what_is_in_progress_without_a_live_operation_becomes_an_error_and_says_so(
    timed: Spine, clock: FixedClock, status: Status
) -> None:
    made = timed.create()
    settle(timed, made, Status.RUNNING)
    busy(timed, made, status)
    upkeep(timed)
    assert timed.instance(made.deployment_id).status is status, "what has just changed is left alone"
    clock.at += timedelta(seconds=11)

    upkeep(timed)

    row = timed.instance(made.deployment_id)
    assert (row.status, row.error_code) == (Status.ERROR, "abandoned")
    assert row.provisioning_status is ProvisioningStatus.FAILED
    (event,) = timed.rows(select(LifecycleEvent).where(LifecycleEvent.event_type == "ABANDONED"))
    assert (event.from_status, event.to_status, event.source) == (status, "error", "berth")


def test_what_an_operation_works_on_is_not_swept_however_old(timed: Spine, clock: FixedClock) -> None:
    made = timed.create()
    clock.at += timedelta(days=1)

    upkeep(timed)

    assert timed.instance(made.deployment_id).status is Status.CREATING


def test_every_accepted_operation_has_a_time_when_it_is_slow_and_one_when_it_is_stuck(timed: Spine) -> None:
    row = timed.operation(timed.create().operation_id)

    assert row.slow_at == NOON + timedelta(seconds=15)
    assert row.deadline_at == NOON + timedelta(seconds=120)


def test_past_its_deadline_a_running_operation_is_asked_to_stop_and_a_pending_one_waits(
    timed: Spine, clock: FixedClock
) -> None:
    running, pending = timed.create(), timed.create()
    begun(timed, clock, running.operation_id)
    clock.at += timedelta(seconds=300)

    timed.write(overdue_to_cancel)

    assert timed.operation(running.operation_id).cancel_requested_at == clock.at
    assert timed.operation(pending.operation_id).cancel_requested_at is None


def a_stuck_restart(spine: Spine, clock: FixedClock, **spec: Any) -> tuple[Accepted, str]:
    made = spine.create(**spec)
    settle(spine, made, Status.RUNNING)
    restart = spine.act(Operation.RESTART, made.deployment_id)
    begun(spine, clock, restart.operation_id)
    busy(spine, restart, Status.RESTARTING)
    clock.at += timedelta(seconds=61)
    return restart, spine.instances(made.deployment_id)[0].id


def test_a_stop_by_force_pre_empts_what_is_stuck(timed: Spine, clock: FixedClock) -> None:
    restart, instance_id = a_stuck_restart(timed, clock)

    stop = timed.write(lambda tx: stop_by_force(tx, ME, restart.deployment_id, instance_id))

    held, by = timed.operation(restart.operation_id), timed.operation(stop.operation_id)
    assert (held.pre_empted_by, by.kind, by.forced) == (by.id, Operation.STOP, True)
    assert held.cancel_requested_at is not None


def test_force_is_refused_while_nothing_is_stuck(timed: Spine, clock: FixedClock) -> None:
    restart, instance_id = a_stuck_restart(timed, clock)
    clock.at -= timedelta(seconds=10)

    with pytest.raises(OperationNotAllowed, match="past its deadline"):
        timed.write(lambda tx: stop_by_force(tx, ME, restart.deployment_id, instance_id))


def test_a_delete_that_is_stuck_is_pre_empted_by_a_delete_by_force_alone(timed: Spine, clock: FixedClock) -> None:
    made = timed.create()
    settle(timed, made, Status.RUNNING)
    first = timed.delete(made.deployment_id)
    begun(timed, clock, first.operation_id)
    busy(timed, first, Status.DELETING)
    clock.at += timedelta(seconds=61)

    assert timed.delete(made.deployment_id).operation_id == first.operation_id
    second = timed.write(lambda tx: withdrawals.delete(tx, ME, made.deployment_id, force=True))

    assert second.operation_id != first.operation_id
    assert timed.operation(first.operation_id).pre_empted_by == second.operation_id


def test_what_is_protected_is_not_deleted_by_anybody_in_any_form(timed: Spine, clock: FixedClock) -> None:
    restart, instance_id = a_stuck_restart(timed, clock, members=2, deletion_protection=True)
    settle(timed, restart, Status.RUNNING)
    deployment_id = restart.deployment_id

    asks: list[Callable[[], object]] = [
        lambda: timed.delete(deployment_id),
        lambda: timed.delete(deployment_id, instance_id),
        lambda: timed.write(lambda tx: withdrawals.delete(tx, ME, deployment_id, force=True)),
        lambda: timed.modify(deployment_id, members=1, deletion_protection=True),
        lambda: timed.modify(deployment_id, members=1),
    ]
    for ask in asks:
        with pytest.raises(Protected, match="lift `deletion_protection` first"):
            ask()
    timed.modify(deployment_id, members=2)
    assert timed.delete(deployment_id)


def test_what_a_lost_host_holds_is_forgotten_although_a_delete_waits_for_it(
    timed: Spine, clock: FixedClock
) -> None:
    made = timed.create(members=2)
    settle(timed, made, Status.RUNNING)
    host_id = timed.write(lambda tx: add_host(tx, "gone"))
    timed.write(lambda tx: tx.session.execute(update(Instance).values(host_id=host_id)))
    deleting = timed.delete(made.deployment_id)
    begun(timed, clock, deleting.operation_id)
    busy(timed, deleting, Status.DELETING)
    clock.at += timedelta(hours=1)
    first, second = timed.instances(made.deployment_id)

    timed.write(lambda tx: forget(tx, ME, first.id, host_lost=True))

    assert timed.operation(deleting.operation_id).status is OperationStatus.CANCELLED
    assert [row.id for row in timed.instances(made.deployment_id)] == [second.id]
    upkeep(timed)
    assert timed.instance(made.deployment_id).status is Status.ERROR
    assert timed.rows(select(Host))
    timed.write(lambda tx: forget(tx, ME, second.id, host_lost=True))
    assert timed.instances(made.deployment_id) == []


def test_a_delete_that_was_taken_back_is_not_repeated_while_protection_stands(
    timed: Spine, clock: FixedClock
) -> None:
    made = timed.create()
    settle(timed, made, Status.RUNNING)
    gone = timed.delete(made.deployment_id)
    timed.cancel(gone.operation_id)
    failed = {"status": Status.ERROR, "error_origin": ErrorOrigin.OPERATION, "error_message": "stop failed"}
    timed.write(
        lambda tx: (
            tx.run(update(Deployment).values(deletion_protection=True)),
            tx.run(update(Instance).values(**failed)),
        )
    )

    with pytest.raises(Protected, match="lift `deletion_protection` first"):
        timed.retry(gone.operation_id)

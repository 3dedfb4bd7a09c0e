"""Maintenance: begun now or at its time, ended by somebody or by itself, taken back, kept through other things."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import update

from db.models import Instance, Maintenance
from db.session import FixedClock
from domain.errors import InvalidInput, OperationInProgress
from domain.lifecycle import Operation, Status
from domain.operations import ErrorOrigin
from keeper.upkeep import Upkeep
from services.billing.duties import BillingRules
from services.requests.maintenance import Due, due
from tests.support.holds import begin_maintenance, end_maintenance, settle, windows
from tests.support.spine import Spine
from tests.support.workers import wait_for

pytestmark = pytest.mark.servers
NOON = datetime.fromisoformat("2030-01-01T12:00:00+00:00")
HOUR = timedelta(hours=1)


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(NOON)


@pytest.fixture
def timed(make_spine: Any, clock: FixedClock) -> Spine:
    """A Berth without a worker whose records have this clock, and one running instance."""
    made: Spine = make_spine()
    made.database.clock = clock
    return made


def an_instance(spine: Spine, status: Status = Status.RUNNING) -> tuple[str, str]:
    """(deployment, instance) that rests in `status`."""
    made = spine.create()
    settle(spine, made, status)
    return made.deployment_id, spine.instance(made.deployment_id).id


def upkeep(spine: Spine, seen: Status | None = None) -> None:
    """One round of the keeper's own work, in which a look shows `seen`."""

    async def look(_found: object) -> Status | None:
        return seen

    asyncio.run(Upkeep(spine.database, BillingRules(), look).round())


def status(spine: Spine, deployment_id: str) -> Status:
    return spine.instance(deployment_id).status


def test_it_ends_by_itself_in_what_a_look_shows(timed: Spine, clock: FixedClock) -> None:
    deployment_id, instance_id = an_instance(timed)
    begin_maintenance(timed, instance_id, until=NOON + HOUR)
    upkeep(timed)
    assert status(timed, deployment_id) is Status.MAINTENANCE
    clock.at += HOUR + timedelta(seconds=1)

    upkeep(timed, seen=Status.STOPPED)

    assert status(timed, deployment_id) is Status.STOPPED
    assert windows(timed, instance_id) == []


def test_without_an_answer_it_ends_in_what_was_before(timed: Spine, clock: FixedClock) -> None:
    deployment_id, instance_id = an_instance(timed)
    begin_maintenance(timed, instance_id, until=NOON + HOUR)
    clock.at += 2 * HOUR

    upkeep(timed)

    assert status(timed, deployment_id) is Status.RUNNING


def test_a_place_that_does_not_answer_holds_up_no_other_end(timed: Spine, clock: FixedClock) -> None:
    ones = [an_instance(timed) for _ in range(4)]
    for _, instance_id in ones:
        begin_maintenance(timed, instance_id, until=NOON + HOUR)
    clock.at += 2 * HOUR
    looks = asyncio.Barrier(len(ones))

    async def look(found: Due) -> Status | None:
        await asyncio.wait_for(looks.wait(), 10)  # each waits for all: one after the other none would end
        if found.instance_id == ones[0][1]:
            raise ValueError("an answer that nobody understands")
        return Status.STOPPED

    asyncio.run(Upkeep(timed.database, BillingRules(), look).round())

    assert [status(timed, deployment_id) for deployment_id, _ in ones] == [Status.RUNNING, *[Status.STOPPED] * 3]


def test_a_planned_one_begins_at_its_time_and_ends_at_its_end(timed: Spine, clock: FixedClock) -> None:
    deployment_id, instance_id = an_instance(timed)
    begin_maintenance(timed, instance_id, NOON + HOUR, NOON + 2 * HOUR)
    upkeep(timed)
    assert status(timed, deployment_id) is Status.RUNNING
    (window,) = windows(timed, instance_id)
    assert (window.began_at, window.note) == (None, "new disk")
    clock.at += HOUR
    upkeep(timed)
    assert status(timed, deployment_id) is Status.MAINTENANCE
    clock.at += HOUR + timedelta(seconds=1)

    upkeep(timed, seen=Status.RUNNING)

    assert status(timed, deployment_id) is Status.RUNNING


def test_a_planned_one_can_be_taken_back_and_replaced(timed: Spine, clock: FixedClock) -> None:
    deployment_id, instance_id = an_instance(timed)
    begin_maintenance(timed, instance_id, NOON + HOUR)
    begin_maintenance(timed, instance_id, NOON + 3 * HOUR)
    clock.at += 2 * HOUR
    upkeep(timed)
    assert status(timed, deployment_id) is Status.RUNNING
    end_maintenance(timed, instance_id)
    clock.at += 2 * HOUR

    upkeep(timed)

    assert status(timed, deployment_id) is Status.RUNNING
    assert windows(timed, instance_id) == []


def test_a_planned_one_waits_for_whoever_works_on_it(timed: Spine, clock: FixedClock) -> None:
    deployment_id, instance_id = an_instance(timed)
    begin_maintenance(timed, instance_id, NOON + HOUR)
    restart = timed.act(Operation.RESTART, deployment_id)
    clock.at += HOUR
    upkeep(timed)
    assert status(timed, deployment_id) is Status.RUNNING
    settle(timed, restart, Status.RUNNING)

    upkeep(timed)

    assert status(timed, deployment_id) is Status.MAINTENANCE


def shown_as(spine: Spine, instance_id: str, values: dict[str, str]) -> None:
    spine.write(lambda tx: tx.run(update(Instance).where(Instance.id == instance_id).values(**values)))


def test_what_can_neither_begin_nor_end_now_blocks_nothing_that_can(timed: Spine, clock: FixedClock) -> None:
    _, suspended = an_instance(timed)
    begin_maintenance(timed, suspended, until=NOON + HOUR)
    _, broken = an_instance(timed)
    begin_maintenance(timed, broken, NOON + HOUR)
    deployment_id, busy = an_instance(timed)
    begin_maintenance(timed, busy, NOON + HOUR)
    timed.act(Operation.RESTART, deployment_id)
    resting = {"status": Status.SUSPENDED, "suspended_from": Status.MAINTENANCE.value}
    failed = {"status": Status.ERROR, "error_code": "transient", "error_message": "it broke"}
    failed["error_origin"] = ErrorOrigin.OPERATION
    shown_as(timed, suspended, resting)
    shown_as(timed, broken, failed)
    _, able = an_instance(timed)
    begin_maintenance(timed, able, NOON + 2 * HOUR)
    clock.at += 3 * HOUR

    assert [found.instance_id for found in timed.write(due)] == [able]


def test_a_planned_one_that_could_not_begin_before_its_end_is_dropped(timed: Spine, clock: FixedClock) -> None:
    deployment_id, instance_id = an_instance(timed)
    begin_maintenance(timed, instance_id, NOON + HOUR, NOON + 2 * HOUR)
    clock.at += 3 * HOUR

    upkeep(timed)

    assert status(timed, deployment_id) is Status.RUNNING
    assert windows(timed, instance_id) == []


@pytest.mark.parametrize(("begins", "until"), [(None, NOON - HOUR), (NOON + 2 * HOUR, NOON + HOUR)])
def test_it_cannot_end_before_it_begins(timed: Spine, begins: datetime | None, until: datetime) -> None:
    _, instance_id = an_instance(timed)

    with pytest.raises(InvalidInput, match="later than the begin"):
        begin_maintenance(timed, instance_id, begins, until)


def test_nobody_begins_it_while_something_is_done(timed: Spine) -> None:
    deployment_id, instance_id = an_instance(timed)
    timed.act(Operation.RESTART, deployment_id)

    with pytest.raises(OperationInProgress):
        begin_maintenance(timed, instance_id)


def test_with_a_worker_it_ends_by_itself_as_the_provider_shows(spine: Spine) -> None:
    made = spine.create_done()
    row = spine.instance(made.deployment_id)
    begin_maintenance(spine, row.id, until=datetime.now(UTC) + HOUR)
    assert spine.instance(made.deployment_id).status is Status.MAINTENANCE

    over = update(Maintenance).where(Maintenance.instance_id == row.id)
    spine.write(lambda tx: tx.run(over.values(until=tx.now)))
    wait_for(lambda: spine.instance(made.deployment_id).status is Status.RUNNING, 60, "it did not end")

"""The keeper: what was accepted runs, whoever is away; one keeper acts at a time; nothing is overdue for ever."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import closing, suppress
from socket import create_server
from typing import Any

import psycopg2
import pytest
from sqlalchemy import Engine, func, select, update
from sqlalchemy.exc import SQLAlchemyError

from db.direct import direct
from db.models import Meta, OperationRow
from db.session import CHANNEL_OPERATIONS, KEEPER_LOCK, Database, open_database
from domain.lifecycle import Operation, Status
from domain.operations import OperationStatus
from keeper import keeper as module
from keeper.facts import KeeperLimits
from keeper.keeper import Keeper
from keeper.namespace import KEY, SWAPPED, NamespaceCheck
from services.operations.acceptance import lock_deployment
from tests.spine.test_temporal import begun, listed
from tests.support.spine import Spine
from tests.support.spines import MakeSpine
from tests.support.workers import wait_for

pytestmark = pytest.mark.servers


def test_what_is_accepted_while_temporal_is_away_runs_when_it_is_back(fragile: Spine) -> None:
    fragile.start_worker()
    fragile.create_done()
    fragile.temporal.kill()
    made = fragile.create()
    with pytest.raises(AssertionError, match="did not get there"):
        fragile.wait_done(made, seconds=1.5)
    assert fragile.operation(made.operation_id).status is OperationStatus.PENDING
    fragile.temporal.start()
    fragile.succeeded(made, seconds=30)
    fragile.invariants()


def test_an_operation_survives_the_death_of_temporal_in_its_middle(fragile: Spine) -> None:
    fragile.start_worker()
    made = fragile.create(members=2, simulate={"create": {"fault": "slow", "seconds": 1.0}})
    fragile.wait_call(made.deployment_id, "create", times=2)
    fragile.temporal.kill()
    fragile.temporal.start()
    fragile.succeeded(made, seconds=60)
    fragile.invariants()


def test_what_is_accepted_before_any_worker_exists_runs_when_one_does(make_spine: MakeSpine) -> None:
    spine = make_spine()
    made = [spine.create() for _ in range(3)]
    spine.start_worker()
    for accepted in made:
        spine.succeeded(accepted)
    spine.invariants()


def test_one_of_two_keepers_acts_and_the_other_takes_over_when_it_dies(make_spine: MakeSpine) -> None:
    spine = make_spine()
    first = spine.start_worker()
    first.wait_until("keeper acts")
    second = spine.start_worker()
    assert "keeper acts" not in second.log.read_text()
    made = spine.create(simulate={"create": {"fault": "slow", "seconds": 1.5}})
    spine.wait_call(made.deployment_id, "create")
    first.kill()
    second.wait_until("keeper acts", seconds=30)
    spine.succeeded(made, seconds=40)
    spine.create_done()
    spine.invariants()


def test_another_temporal_than_the_one_known_stops_the_keeper_until_it_is_acknowledged(fragile: Spine) -> None:
    """A not-found from a Temporal that never knew the run proves nothing."""
    worker = fragile.start_worker()
    fragile.create_done()
    known = fragile.rows(select(Meta.value).where(Meta.key == KEY))
    made = fragile.create(simulate={"create": {"fault": "hang"}})
    fragile.wait_call(made.deployment_id, "create")
    worker.kill()
    fragile.temporal.kill()
    for path in fragile.temporal.folder.glob("temporal.db*"):
        path.unlink()
    fragile.temporal.start()
    worker = fragile.start_worker(BERTH_TEMPORAL_FRESH="0")
    worker.wait_until("another Temporal than the records know")
    pending = fragile.create()
    with pytest.raises(AssertionError, match="did not get there"):
        fragile.wait_operation(pending, lambda row: row.status is not OperationStatus.PENDING, seconds=2.5)
    assert fragile.operation(made.operation_id).status is OperationStatus.RUNNING
    assert fragile.rows(select(Meta.value).where(Meta.key == SWAPPED)) != []
    worker.stop()
    fragile.start_worker(BERTH_TEMPORAL_FRESH="1")
    fragile.succeeded(pending, seconds=30)
    failed = fragile.failed(made, seconds=30)
    assert failed.error is not None
    assert "is unknown to Temporal" in failed.error["message"]
    assert fragile.rows(select(Meta.value).where(Meta.key == SWAPPED)) == []
    assert fragile.rows(select(Meta.value).where(Meta.key == KEY)) != known
    fragile.succeeded(fragile.retry(failed.id))
    fragile.invariants()


def test_an_overdue_operation_is_stopped_like_a_cancelled_one(spine: Spine) -> None:
    made = spine.create(simulate={"create": {"fault": "hang"}})
    begun(spine, made, "create")
    overdue = update(OperationRow).where(OperationRow.id == made.operation_id).values(deadline_at=func.now())
    spine.write(lambda tx: tx.session.execute(overdue))
    ended = spine.wait_done(made, seconds=15)
    assert ended.status is OperationStatus.FAILED
    assert ended.error is not None
    assert ended.error["code"] == "timed-out"
    row = spine.instance(made.deployment_id)
    assert (row.status, row.error_code) == (Status.ERROR, "timed-out")
    assert spine.inventory(made.deployment_id) == []
    spine.succeeded(spine.retry(ended.id))


def test_a_cancelled_run_that_does_not_close_is_terminated_after_its_grace(make_spine: MakeSpine) -> None:
    spine = make_spine(BERTH_CANCEL_GRACE_SECONDS="1")
    spine.start_worker()
    made = spine.create_done()
    row = spine.instance(made.deployment_id)
    spine.fault("restart", "hang", instance=row.id)
    asked = spine.act(Operation.RESTART, made.deployment_id)
    operation = begun(spine, asked, "restart")
    asked_to_stop = (
        update(OperationRow).where(OperationRow.id == operation.id).values(cancel_requested_at=func.now())
    )
    with spine.database.begin() as tx:
        lock_deployment(tx, made.deployment_id, "default")  # so that Finish cannot be written
        spine.write(lambda other: other.session.execute(asked_to_stop))
        query = f"WorkflowId='{operation.workflow_id}' AND ExecutionStatus='Terminated'"
        wait_for(lambda: listed(spine, query), 25, "it was not terminated")
    ended = spine.wait_done(asked, seconds=30)
    # Its Finish, on its way when the run was terminated, may still be recorded; else the keeper ends it.
    assert ended.status is OperationStatus.CANCELLED or (ended.error or {})["code"] == "run-lost"
    spine.succeeded(spine.act(Operation.RESTART, made.deployment_id))
    spine.invariants()


def test_a_worker_that_is_told_to_stop_drains_and_exits_cleanly(make_spine: MakeSpine) -> None:
    spine = make_spine()
    worker = spine.start_worker()
    made = spine.create(simulate={"create": {"fault": "slow", "seconds": 1.0}})
    spine.wait_call(made.deployment_id, "create")
    assert worker.stop() == 0
    spine.start_worker()
    spine.succeeded(made, seconds=30)
    assert spine.calls(spine.instance(made.deployment_id).id)["create"] == 1, "the running call was let finish"
    spine.invariants()


class Breaks(NamespaceCheck):
    """Trouble that has nothing to do with the connection that holds the lock."""

    def __init__(self) -> None:
        return

    async def holds(self) -> bool:
        raise TimeoutError("no connection of the pool was free")


def a_keeper(database: Database) -> Keeper:
    """One without a Temporal: it is not asked where nothing waits, or where nothing is looked at."""
    limits = KeeperLimits(0.1, 0.1, 0.1, 0.1)
    return Keeper(database, None, limits, Breaks(), asyncio.Event())  # type: ignore[arg-type]


def test_a_keeper_that_begins_again_has_let_go_of_its_lock(make_spine: MakeSpine) -> None:
    spine = make_spine()

    async def acts() -> None:
        with pytest.raises(TimeoutError):
            await a_keeper(spine.database).hold_lock_and_act()

    asyncio.run(acts())
    with closing(direct(spine.database.engine, "another")()) as other, other.cursor() as cursor:

        def is_free() -> bool:
            cursor.execute("select pg_try_advisory_lock(%s)", (KEEPER_LOCK,))
            return bool(cursor.fetchone()[0])

        wait_for(is_free, 30, "the pool keeps the lock: no keeper can ever have it again")


async def longest_stand(work: asyncio.Task[None]) -> float:
    """For how long the event loop did nothing else while `work` went on."""
    longest, last = 0.0, time.monotonic()
    while not work.done():
        await asyncio.sleep(0.05)
        longest, last = max(longest, time.monotonic() - last), time.monotonic()
    return longest


async def test_records_that_say_nothing_do_not_hold_up_the_heartbeats_of_the_worker() -> None:
    """A frozen server's kernel goes on to take connections."""
    with create_server(("127.0.0.1", 0)) as mute:
        database = open_database(f"postgresql+psycopg2://berth@127.0.0.1:{mute.getsockname()[1]}/berth")
        tries = asyncio.create_task(a_keeper(database).hold_lock_and_act())
        stood = await longest_stand(tries)
        with suppress(SQLAlchemyError, psycopg2.Error):
            tries.result()
        database.engine.dispose()
    assert stood < 2.5, "heartbeats, provider calls and signals waited for the records"


async def test_who_stands_by_for_the_lock_gathers_no_news_that_he_never_reads(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = open_database(database_url)
    made: list[Any] = []

    def remembered(engine: Engine, name: str) -> Callable[[], Any]:
        def connect() -> Any:
            made.append(direct(engine, name)())
            return made[-1]

        return connect

    monkeypatch.setattr(module, "direct", remembered)
    stands_by = a_keeper(database)
    with closing(direct(database.engine, "acts")()) as acts, acts.cursor() as cursor:
        cursor.execute("select pg_advisory_lock(%s)", (KEEPER_LOCK,))
        tries = asyncio.create_task(stands_by.hold_lock_and_act())
        for _ in range(20):
            await asyncio.sleep(0.05)
            cursor.execute(f"notify {CHANNEL_OPERATIONS}, 'op_1'")
        await asyncio.sleep(0.5)
        assert made[0].notifies == []
    with pytest.raises(TimeoutError):
        await tries  # it has the lock now, and acts
    database.engine.dispose()

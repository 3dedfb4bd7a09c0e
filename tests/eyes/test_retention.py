"""What is too old goes, in batches, by the injected clock; what something living needs stays, however old."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, insert, select, text, update

from db.models import (
    Deployment,
    Instance,
    InstanceRun,
    LifecycleEvent,
    Notification,
    OperationInstance,
    OperationRow,
    Pulse,
    SpanRow,
)
from db.session import Database, FixedClock, Tx, open_database
from domain.lifecycle import Operation, Status
from domain.operations import OperationStatus
from services.operations.acceptance import new_id
from services.upkeep.ledger import fold
from services.upkeep.retention import Keeping, purge
from settings import psycopg2_url
from tests.support.api import Api, add_deployment, add_member, add_operation

pytestmark = pytest.mark.servers
NOW = datetime(2030, 1, 1, tzinfo=UTC)
OLD = NOW - timedelta(days=500)


@pytest.fixture
def database(postgres_server: Any) -> Iterator[Database]:
    made = open_database(psycopg2_url(postgres_server.new_database()), clock=FixedClock(NOW))
    yield made
    made.engine.dispose()


def purged(database: Database, **keeping: Any) -> dict[str, int]:
    with database.begin() as tx:
        return purge(tx, Keeping(**keeping))


def count(database: Database, table: Any) -> int:
    with database.read() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def finished(tx: Tx, deployment: str, instance: str, at: datetime, **columns: Any) -> str:
    status = columns.pop("status", OperationStatus.SUCCEEDED)
    return add_operation(tx, deployment, "thing", instance, status, created_at=at, finished_at=at, **columns)


def events(database: Database, number: int, at: datetime) -> None:
    row = dict.fromkeys(
        ("instance_id", "operation_id", "version", "from_status", "to_status", "reason", "confirmation_method",
         "cloud_instance_id", "status")
    )  # fmt: skip
    fixed = {"project": "default", "event_type": "STOP_REQUESTED", "deployment_id": "dep_x", "source": "user",
             "actor": "me", "data": {}}  # fmt: skip
    database.clock.at = at  # type: ignore[attr-defined]
    with database.begin() as tx:
        for _ in range(number):
            tx.emit(**row, **fixed)
    database.clock.at = NOW  # type: ignore[attr-defined]


def test_a_key_is_forgotten_after_two_days_and_its_operation_stays(database: Database) -> None:
    with database.begin() as tx:
        for age, key in ((47, "young"), (49, "old")):
            at = NOW - timedelta(hours=age)
            finished(tx, "dep_gone", "ins_gone", at, idempotency_scope="me", idempotency_key=key)
    assert purged(database) == {"idempotency": 1}
    with database.read() as session:
        keys = list(session.scalars(select(OperationRow.idempotency_key)))
    assert sorted(keys, key=str) == [None, "young"]


def test_an_unfinished_operation_keeps_its_key(database: Database) -> None:
    with database.begin() as tx:
        at = NOW - timedelta(days=30)
        add_operation(tx, "dep_x", "x", "ins_x", OperationStatus.PENDING, created_at=at, idempotency_scope="me",
                      idempotency_key="k")  # fmt: skip
    assert purged(database) == {}


def test_events_go_oldest_first_in_batches_and_the_newest_stays_for_the_numbering(database: Database) -> None:
    events(database, 2500, OLD)
    events(database, 10, NOW - timedelta(days=1))
    assert purged(database) == {}, "nothing may go before it is counted"
    for _ in range(3):
        with database.begin() as tx:
            fold(tx, notify=False)
    assert [purged(database).get("events", 0) for _ in range(4)] == [1000, 1000, 500, 0]
    with database.read() as session:
        assert session.scalar(select(func.min(LifecycleEvent.seq))) == 2501
    database.clock.at = NOW + timedelta(days=5000)  # type: ignore[attr-defined]
    purged(database)
    assert count(database, LifecycleEvent) == 1


def test_operations_of_gone_deployments_go_with_all_that_hangs_on_them(database: Database) -> None:
    with database.begin() as tx:
        finished(tx, "dep_gone", "ins_gone", OLD)
        finished(tx, "dep_gone", "ins_gone", NOW - timedelta(days=399))
    assert purged(database) == {"operations": 1}
    assert (count(database, OperationRow), count(database, OperationInstance)) == (1, 1)


def test_of_a_living_deployment_only_what_a_newer_success_has_outdated_goes(database: Database) -> None:
    with database.begin() as tx:
        deployment = add_deployment(tx, "thing")
        instance = add_member(tx, deployment, "thing", Status.RUNNING)
        made = finished(tx, deployment, instance, OLD, kind=Operation.CREATE)
        outdated = finished(tx, deployment, instance, OLD)
        finished(tx, deployment, instance, OLD + timedelta(days=1))
        owner = finished(tx, deployment, instance, OLD, kind=Operation.STOP)
        finished(tx, deployment, instance, OLD + timedelta(days=2), kind=Operation.STOP)
        failed = finished(tx, deployment, instance, OLD, kind=Operation.MODIFY, status=OperationStatus.FAILED)
        tx.session.execute(update(Instance).values(operation_id=owner))
    assert purged(database) == {"operations": 1}
    with database.read() as session:
        left = set(session.scalars(select(OperationRow.id)))
    assert outdated not in left
    assert {made, owner, failed} <= left
    assert count(database, Instance) == count(database, Deployment) == 1


def test_runs_spans_and_delivered_notifications_go_when_their_time_has_come(database: Database) -> None:
    run = dict.fromkeys(
        ("host_id", "cloud_instance_id", "instance_type", "availability_zone", "launched_at",
         "termination_confirmed_at", "launch_duration_seconds", "termination_duration_seconds",
         "total_runtime_seconds", "termination_reason", "confirmation_method", "operation_id")
    )  # fmt: skip
    with database.begin() as tx:
        for at in (OLD, NOW):
            tx.run(
                insert(InstanceRun).values(
                    **run,
                    run_id=new_id("run"),
                    instance_id=new_id("ins"),
                    project="default",
                    name="n",
                    actor="me",
                    deployment_id="d",
                    blueprint="web",
                    provider="simulated",
                    created_at=at,
                    terminated_at=at,
                )
            )
            span = {"trace_id": "t", "name": "n", "service": "api", "seconds": 1, "ok": True, "attributes": {}}
            tx.run(insert(SpanRow).values(**span, parent_id=None, span_id=str(at), started_at=at))
            for state in ("pending", "delivered", "dead"):
                note: dict[str, Any] = {
                    "project": "default",
                    "type": state,
                    "cause": str(at),
                    "payload": {},
                    "state": state,
                }
                tx.run(insert(Notification).values(**note, id=new_id("msg"), created_at=at, next_at=at))
    assert purged(database) == {"runs": 1, "spans": 1, "notifications": 2}


def test_ten_thousand_old_operations_go_in_bounded_steps(database: Database) -> None:
    with database.begin() as tx:
        first = finished(tx, "dep_gone", "ins_gone", OLD)
        tx.session.execute(
            text(
                "insert into operations select (jsonb_populate_record(o, jsonb_build_object('id', 'op_' || n))).* "
                "from operations o, generate_series(1, 10000) n where o.id = :first"
            ),
            {"first": first},
        )
    steps = [purged(database, batch=4000).get("operations", 0) for _ in range(4)]
    assert steps == [4000, 4000, 2001, 0]


def test_a_cursor_from_before_the_purge_is_told_to_take_a_snapshot(api: Api) -> None:
    api.create()
    begin = api.get("/events?limit=1")["next"]
    for _ in range(3):
        api.create()
    with api.database.begin() as tx:
        fold(tx, notify=False)
        tx.session.execute(text("update instance_lifecycle_events set time = now() - interval '91 days'"))
        assert (tx.session.scalar(select(Pulse.cursor)) or 0) > 3
    with api.database.begin() as tx:
        assert purge(tx, Keeping())["events"] >= 3
    assert api.get(f"/events?after={begin}")["snapshot_required"] is True

"""Databases on a common server: real PostgreSQL servers, Berth's own and one that it is only given the keys of."""

from __future__ import annotations

from typing import Any

import psycopg2
import pytest
from sqlalchemy import select

from db.models import Host, OperationRow
from domain.errors import OperationNotAllowed
from domain.lifecycle import Operation, Status
from domain.specs import Accepted
from services.operations.works import GrantedDatabase
from tests.support.allocations import (
    SHARED,
    allocated,
    allocation,
    credentials,
    deployment,
    login,
    operations_of,
    server,
)
from tests.support.process_spine import ProcessSpine
from tests.support.workers import wait_for

pytestmark = [pytest.mark.servers, pytest.mark.processes]
SECONDS = 40.0


def refused(found: GrantedDatabase, port: int, database: str | None = None) -> str:
    with pytest.raises(psycopg2.OperationalError) as error:
        login(found, port, database)
    return str(error.value)


def port_of(spine: ProcessSpine, made: Accepted) -> int:
    port = server(spine, made).port
    assert port is not None
    return port


def as_admin(spine: ProcessSpine, made: Accepted, query: str) -> list[tuple[Any, ...]]:
    row = server(spine, made)
    secrets = spine.write(lambda tx: spine.vault.get(tx, row.id))
    connection = psycopg2.connect(
        host="127.0.0.1", port=row.port, user="berth_admin", password=secrets["admin_password"], dbname="postgres"
    )
    try:
        with connection.cursor() as cursor:
            cursor.execute(query)
            return list(cursor.fetchall())
    finally:
        connection.close()


def test_two_consumers_have_databases_of_their_own_on_one_server_of_berths(process_spine: ProcessSpine) -> None:
    spine = process_spine
    spine.start_worker()
    one, two = (spine.on_host(name, blueprint="web", database=SHARED) for name in ("first-shop", "second"))
    spine.succeeded(one, SECONDS)
    spine.succeeded(two, SECONDS)
    assert server(spine, one).id == server(spine, two).id == spine.instance(one.deployment_id).db_server_id
    assert (server(spine, one).name, server(spine, one).status) == ("shared-postgres", Status.RUNNING)
    assert len(operations_of(spine, "shared-postgres")) == 1
    port = port_of(spine, one)
    assert login(credentials(spine, one), port) == "first_shop@first_shop"
    assert login(credentials(spine, two), port) == "second@second"
    for database in ("second", "postgres", "app"):
        assert "pg_hba.conf" in refused(credentials(spine, one), port, database)

    closed = "select bool_or(has_database_privilege('first_shop', datname, 'connect')) from pg_database"
    assert as_admin(spine, one, f"{closed} where datname <> 'first_shop' and datallowconn") == [(False,)]

    with pytest.raises(OperationNotAllowed, match="it holds the database of first-shop, second; delete those"):
        spine.delete(server(spine, one).deployment_id)
    lost, kept = credentials(spine, one), server(spine, one).deployment_id
    spine.succeeded(spine.delete(one.deployment_id), SECONDS)
    assert "authentication failed" in refused(lost, port)
    assert login(credentials(spine, two), port) == "second@second"
    spine.succeeded(spine.delete(two.deployment_id), SECONDS)
    spine.succeeded(spine.delete(kept), SECONDS)


@pytest.fixture
def foreign(process_spine: ProcessSpine) -> ProcessSpine:
    """A Berth that is given the keys of a server; that this is one of its own as well, it does not know."""
    spine = process_spine
    first = spine.start_worker()
    made = spine.on_host("elsewhere")
    spine.succeeded(made, SECONDS)
    first.stop()
    row = spine.instance(made.deployment_id)
    secrets = spine.write(lambda tx: spine.vault.get(tx, row.id))
    admin = f"berth_admin:{secrets['admin_password']}@127.0.0.1:{row.port}"
    spine.settings["BERTH_SHARED_DATABASE_URL"] = f"postgresql://{admin}/postgres?sslmode=disable"
    spine.start_worker()
    return spine


def on_foreign(spine: ProcessSpine, statement: str) -> None:
    url = spine.settings["BERTH_SHARED_DATABASE_URL"]
    connection = psycopg2.connect(url, connect_timeout=5)
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            cursor.execute(statement)
    finally:
        connection.close()


def test_a_retry_finds_the_same_database_on_a_server_that_is_configured(foreign: ProcessSpine) -> None:
    spine = foreign
    port = spine.instance(deployment_id(spine, "elsewhere")).port
    assert port is not None
    made = spine.create("shop", database=SHARED, simulate={"create": {"fault": "invalid"}})
    failed = spine.failed(made, SECONDS)
    before = credentials(spine, made)
    assert login(before, port) == "shop@shop"
    assert failed.error is not None
    assert f"database shop on server 127.0.0.1:{port} with its credentials" in failed.error["kept"]
    assert spine.instance(made.deployment_id).db_server_id == f"127.0.0.1:{port}"
    spine.succeeded(spine.retry(failed.id), SECONDS)
    assert credentials(spine, made) == before
    assert login(before, port) == "shop@shop"
    spine.succeeded(spine.delete(made.deployment_id), SECONDS)
    assert allocation(spine, made) is None
    assert "authentication failed" in refused(before, port)


def deployment_id(spine: ProcessSpine, name: str) -> str:
    found = deployment(spine, name)
    assert found is not None
    return found.id


def test_what_a_stranger_has_on_the_server_is_neither_used_nor_dropped(foreign: ProcessSpine) -> None:
    spine = foreign
    port = spine.instance(deployment_id(spine, "elsewhere")).port
    assert port is not None
    on_foreign(spine, "create role shop login password 'theirs'")
    on_foreign(spine, "create database shop owner shop")
    on_foreign(spine, "create database wished")
    made = spine.create("shop", database=SHARED, params={"database_name": "wished"})
    spine.succeeded(made, SECONDS)
    found = credentials(spine, made)
    assert found.name.startswith("shop_")
    assert login(found, port) == f"{found.name}@{found.name}"
    spine.succeeded(spine.delete(made.deployment_id), SECONDS)
    theirs = GrantedDatabase("shop", "shop", "theirs")
    assert login(theirs, port) == "shop@shop"


def test_a_release_starts_the_server_that_somebody_had_stopped(
    process_spine: ProcessSpine,
) -> None:
    spine = process_spine
    spine.start_worker()
    made = spine.on_host("shop", blueprint="web", database=SHARED)
    spine.succeeded(made, SECONDS)
    beside = server(spine, made)
    spine.succeeded(spine.act(Operation.STOP, beside.deployment_id), SECONDS)
    spine.succeeded(spine.delete(made.deployment_id), SECONDS)
    started = [operation for operation in operations_of(spine, beside.name) if operation.kind is Operation.START]
    assert len(started) == 1
    assert spine.instance(beside.deployment_id).status is Status.RUNNING


def test_twenty_consumers_at_once_get_one_server(process_spine: ProcessSpine) -> None:
    spine = process_spine
    spine.start_worker()
    (host,) = spine.rows(select(Host.id))
    made = [spine.create(f"s{n}", provider="process", host_id=host, database=SHARED) for n in range(20)]
    for one in made:
        spine.succeeded(one, 60)
    assert {allocated(spine, one).server_deployment_id for one in made} == {server(spine, made[0]).deployment_id}
    assert len(spine.rows(select(OperationRow.id).where(OperationRow.blueprint == "postgres"))) == 1
    wait_for(lambda: spine.instance(made[0].deployment_id).status is Status.RUNNING, 5, "not running")

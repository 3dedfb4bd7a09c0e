"""Blueprints in real containers: what their recipes bring about, and what their probes say of it."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import psycopg2
import pytest

from blueprints.registry import BLUEPRINTS
from domain.errors import ProviderError, ProviderErrorKind
from domain.work import DatabaseAccess, Form, Secrets, Work
from tests.support.docker_instances import WEB, WEB_PORT, Dock
from tests.support.instances import free_port

pytestmark = pytest.mark.docker
POSTGRES = BLUEPRINTS["postgres"]


def a_work(dock: Dock, blueprint: str, params: dict[str, Any], **changes: Any) -> Work:
    known = BLUEPRINTS[blueprint]
    secrets = Secrets({**known.new_secrets(), **changes.pop("secrets", {})})
    given = {"blueprint": blueprint, "params": params, "port": free_port(), "secrets": secrets, "recipes": known}
    return dock.work(form=Form.CONTAINER, **{**given, **changes})


def created(dock: Dock, work: Work) -> Work:
    dock.provider.create(work, dock.call)
    return work


def until_ready(dock: Dock, work: Work, seconds: float = 40) -> Work:
    """As an activity waits."""
    known, deadline = BLUEPRINTS[work.blueprint], time.monotonic() + seconds
    while True:
        try:
            known.prepare(work, dock.call)
            known.probe(work, 2.0)
            return work
        except ProviderError as error:
            if error.kind is not ProviderErrorKind.NOT_READY or time.monotonic() > deadline:
                raise
        time.sleep(0.1)


def asked(work: Work, role: str, statement: str) -> Any:
    password = work.secrets["password" if role == "app" else "admin_password"]
    connection = psycopg2.connect(
        host="127.0.0.1", port=work.port, user=role, password=password, dbname="app", connect_timeout=5
    )
    try:
        with connection.cursor() as cursor:
            cursor.execute(statement)
            connection.commit()
            return cursor.fetchall() if cursor.description else None
    finally:
        connection.close()


def probing(work: Work) -> ProviderError:
    with pytest.raises(ProviderError) as refused:
        BLUEPRINTS[work.blueprint].probe(work, 2.0)
    return refused.value


@pytest.mark.parametrize("version", [16, 18])
def test_a_postgres_container_serves_app_and_keeps_its_data_over_a_change(dock: Dock, version: int) -> None:
    work = until_ready(dock, created(dock, a_work(dock, "postgres", {"version": version})))
    assert asked(work, "app", "select current_setting('server_version_num')::int / 10000") == [(version,)]
    assert asked(work, "app", "select datcollate from pg_database where datname = 'app'")[0][0] in ("C", "C.UTF-8")
    assert asked(work, "app", "show data_checksums") == [("on",)]
    assert asked(work, "berth_admin", "select rolsuper from pg_roles where rolname = current_user") == [(True,)]
    asked(work, "app", "create table kept as select 42 as answer")

    changed = replace(work, params={**work.params, "max_connections": 40, "jit": False})
    dock.provider.modify(changed, dock.call)
    assert not POSTGRES.needs_restart(changed)
    until_ready(dock, changed)
    assert asked(changed, "app", "show max_connections") == [("40",)]
    assert asked(changed, "app", "show jit") == [("off",)]
    assert asked(changed, "app", "select answer from kept") == [(42,)]


def test_a_new_password_of_the_records_becomes_the_containers(dock: Dock) -> None:
    work = until_ready(dock, created(dock, a_work(dock, "postgres", {})))
    renewed = replace(work, secrets=Secrets({**work.secrets, "password": "an0ther-pa$$word"}))
    assert probing(renewed).kind is ProviderErrorKind.AUTH
    until_ready(dock, renewed)
    assert asked(renewed, "app", "select 1") == [(1,)]
    assert probing(work).kind is ProviderErrorKind.AUTH


def test_preparing_leaves_no_password_in_the_containers_output(dock: Dock) -> None:
    work = until_ready(dock, created(dock, a_work(dock, "postgres", {"log_min_duration_statement": "0ms"})))
    output = "\n".join(dock.provider.logs(work, 500))
    assert "create role" in output
    assert not any(value in output for value in work.secrets.values())


def an_odoo_on(dock: Dock, server: Work, password: str) -> Work:
    host, port = dock.provider.inner_address(server)
    database = DatabaseAccess(host, port, "app", "app", password)
    params = {"admin_email": "admin@example.com"}
    return created(
        dock, a_work(dock, "odoo", params, database=database, secrets={"admin_password": "s3cret-0f-admin"})
    )


def test_an_odoo_serves_once_its_database_lets_it_in(dock: Dock) -> None:
    server = until_ready(dock, created(dock, a_work(dock, "postgres", {})))
    work = until_ready(dock, an_odoo_on(dock, server, server.secrets["password"]))
    assert BLUEPRINTS["odoo"].endpoint(work) == f"http://127.0.0.1:{work.port}/"
    seen = dock.inspected(work)
    assert "ADMIN_PASSWORD=s3cret-0f-admin" in seen["Config"]["Env"]
    seen["Config"].pop("Env")
    assert "s3cret-0f-admin" not in repr(seen)


def test_an_odoo_with_a_wrong_password_is_not_ready_and_says_so(dock: Dock) -> None:
    server = until_ready(dock, created(dock, a_work(dock, "postgres", {})))
    work = an_odoo_on(dock, server, "wrong")
    time.sleep(1)
    error = probing(work)
    assert error.kind is ProviderErrorKind.NOT_READY
    assert "/web/health answered 503" in error.message


def test_any_image_is_probed_over_http_or_by_a_connection_that_stays(dock: Dock) -> None:
    serving = {"image": WEB, "container_port": WEB_PORT}
    until_ready(dock, created(dock, a_work(dock, "container", {**serving, "health_path": "/healthz"})))
    until_ready(dock, created(dock, a_work(dock, "container", serving)))
    silent = created(dock, a_work(dock, "container", {**serving, "arguments": ["sleep", "60"]}))
    assert probing(silent).kind is ProviderErrorKind.NOT_READY
    lost = created(dock, a_work(dock, "container", {**serving, "health_path": "/nothing"}))
    time.sleep(1)
    assert "/nothing answered 404" in probing(lost).message


def test_a_container_gets_its_environment_its_secrets_and_its_volume(dock: Dock) -> None:
    params = {
        "image": WEB,
        "arguments": ["sh", "-c", "echo $PLAIN-$TOKEN >/srv/data/written; id -u; sleep 60"],
        "environment": {"PLAIN": "a b"},
        "volumes": {"data": "/srv/data"},
    }
    work = created(dock, a_work(dock, "container", params, secrets={"secret_environment.TOKEN": "t0ken"}))
    until_ready(dock, work)
    time.sleep(0.5)
    assert dock.execute(work, "cat", "/srv/data/written") == "a b-t0ken"


def test_a_web_container_of_another_image_serves_by_its_health(dock: Dock) -> None:
    work = until_ready(dock, created(dock, a_work(dock, "web", {"image": WEB})))
    assert not BLUEPRINTS["web"].needs_restart(work)

"""Real servers in containers: PostgreSQL as an unprivileged user without capabilities, and Odoo that needs one."""

from __future__ import annotations

import signal
import urllib.error
import urllib.request
from dataclasses import replace
from pathlib import PurePosixPath

import psycopg2
import pytest

from domain.work import ContainerRecipe, Resources, Secrets, Work
from tests.support.docker_instances import Dock, wait_until, with_recipe

pytestmark = [pytest.mark.processes, pytest.mark.docker]
PASSWORD = "pa ss'w\"ord"


def a_postgres(major: int, *arguments: str) -> ContainerRecipe:
    return ContainerRecipe(
        image=f"postgres:{major}",
        arguments=arguments,
        environment={"POSTGRES_USER": "berth", "POSTGRES_DB": "app", "PGDATA": "/var/lib/postgresql/data/pgdata"},
        secrets=Secrets(POSTGRES_PASSWORD=PASSWORD),
        port=5432,
        volumes={"data": PurePosixPath("/var/lib/postgresql/data")},
        user=999,
        stop_signal=signal.SIGINT,
    )


def asked(work: Work, statement: str, password: str = PASSWORD) -> str | None:
    try:
        connection = psycopg2.connect(
            host="127.0.0.1", port=work.port, user="berth", password=password, dbname="app", connect_timeout=20
        )
    except psycopg2.OperationalError as error:
        if "password authentication failed" in str(error):
            raise
        return None
    try:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(statement)
            return str(cursor.fetchone()[0]) if cursor.description else "done"  # type: ignore[index]
    finally:
        connection.close()


@pytest.mark.parametrize("major", [16, 18])
def test_postgres_lives_through_stop_start_and_a_changed_setting(dock: Dock, major: int) -> None:
    work = dock.created(a_postgres(major, "-c", "max_connections=33"), resources=Resources(cpu=1, memory_mb=256))
    assert wait_until(lambda: asked(work, "show max_connections"), 60) == "33"
    assert str(asked(work, "show server_version")).startswith(str(major))
    with pytest.raises(psycopg2.OperationalError):
        asked(work, "select 1", "wrong")
    asked(work, "create table kept as select 42 as answer")
    dock.provider.stop(work, dock.call)
    assert dock.inspected(work)["State"]["ExitCode"] == 0
    assert any("database system is shut down" in line for line in dock.provider.logs(work, 20))
    changed = with_recipe(work, arguments=("-c", "max_connections=44"))
    dock.provider.modify(changed, dock.call)
    dock.provider.start(changed, dock.call)
    assert wait_until(lambda: asked(work, "show max_connections"), 60) == "44"
    assert asked(work, "select answer from kept") == "42"


def test_odoo_is_healthy_while_its_database_lets_it_in(dock: Dock) -> None:
    database = dock.created(a_postgres(18))
    assert wait_until(lambda: asked(database, "select 1"), 60)
    host, port = dock.provider.inner_address(database)
    recipe = ContainerRecipe(
        image="odoo:17.0",
        environment={
            "HOST": host,
            "PORT": str(port),
            "USER": "berth",
            "DATABASE_NAME": "app",
            "ADMIN_EMAIL": "admin@shop.test",
        },
        secrets=Secrets(PASSWORD=PASSWORD, ADMIN_PASSWORD="open sesame"),
        port=8069,
        volumes={"data": PurePosixPath("/var/lib/odoo")},
    )
    odoo = dock.created(recipe, name="shop")
    wait_until(lambda: fetched(odoo, "/web/health")[0] == 200)
    assert fetched(odoo, "/web/health") == (200, '{"status":"pass"}\n')
    assert "Database app" in fetched(odoo, "/")[1]
    assert fetched(odoo, "/login", b"login=admin@shop.test&password=open+sesame") == (200, "welcome\n")
    assert fetched(odoo, "/login", b"login=admin@shop.test&password=wrong")[0] == 403
    dock.provider.stop(database, dock.call)
    status, why = fetched(odoo, "/web/health")
    assert status == 503
    assert "reason" in why
    wrong = replace(with_recipe(odoo, secrets=Secrets(PASSWORD="wrong", ADMIN_PASSWORD="x")), port=odoo.port)
    dock.provider.start(database, dock.call)
    dock.provider.restart(wrong, dock.call)
    wait_until(lambda: "password authentication failed" in fetched(odoo, "/web/health")[1])


def fetched(work: Work, path: str, body: bytes | None = None) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{work.port}{path}", body, timeout=60) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()
    except OSError:
        return 0, ""

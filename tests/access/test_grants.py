"""The rights that the page on security gives to the application's own role: it adds to the trail."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from db.grants import GRANTS, ROLE
from db.migrate import upgrade
from db.session import Database, open_database
from domain.specs import Caller
from services.access.audit import note
from tests.support.api import Api
from tests.support.postgres import PostgresServer
from tests.support.roles import as_application

pytestmark = pytest.mark.servers
PAGE = Path(__file__).parents[2] / "docs" / "security.md"


@pytest.fixture(scope="module")
def owner(postgres_server: PostgresServer) -> Iterator[Database]:
    opened = open_database(postgres_server.new_database(), pool_size=1)
    yield opened
    opened.engine.dispose()


@pytest.fixture(scope="module")
def application(owner: Database) -> Iterator[Database]:
    """As the API of `berth up` connects."""
    url = owner.engine.url.render_as_string(hide_password=False)
    opened = open_database(as_application(url), pool_size=1)
    yield opened
    opened.engine.dispose()


def run(database: Database, *statements: str) -> None:
    with database.begin() as tx:
        for statement in statements:
            tx.session.execute(text(statement))


def test_the_page_has_the_statements_that_the_code_uses() -> None:
    assert re.findall(r"^((?:grant|revoke) .*);$", PAGE.read_text(), re.M) == list(GRANTS)


def test_the_application_adds_entries_and_reads_them(application: Database) -> None:
    with application.begin() as tx:
        note(tx, Caller("somebody"), "x")
        assert tx.session.scalar(text("select count(*) from audit where actor = 'somebody'")) == 1


@pytest.mark.parametrize(
    "statement",
    [
        "update audit set actor = 'x'",
        "delete from audit",
        "truncate audit",
        "drop table audit",
        "alter table audit disable trigger all",
        "drop trigger audit_append_only on audit",
        "create or replace function audit_append_only() returns trigger language sql as 'select 1'",
        "set role berth",
        "set session authorization berth",
        "reset role; delete from audit",
        "grant delete on audit to berth_app; delete from audit",
        "alter role berth_app superuser",
        "set session_replication_role = replica",
        "copy audit to program 'cat'",
        "select pg_reload_conf()",
    ],
)
def test_the_application_changes_and_removes_nothing_of_the_trail(application: Database, statement: str) -> None:
    with pytest.raises(DBAPIError, match=r"permission denied|must be owner|must be superuser|no privileges"):
        run(application, statement)


def test_a_setting_of_the_session_opens_nothing(application: Database) -> None:
    with pytest.raises(DBAPIError, match="permission denied"):
        run(application, "set local berth.purging_audit = 'yes'", "delete from audit")


def test_the_application_purges_what_is_old_through_the_function(owner: Database, application: Database) -> None:
    run(
        owner,
        "insert into audit (id, time, actor, action, outcome) "
        "values ('aud_old', now() - interval '500 days', 'old', 'x', 'done')",
    )
    with application.begin() as tx:
        assert tx.session.scalar(text("select purge_audit(now() - interval '400 days', 10)")) == 1


def test_a_migration_gives_them_again(owner: Database) -> None:
    run(owner, f"revoke all on all tables in schema public from {ROLE}")
    upgrade(owner.engine.url.render_as_string(hide_password=False))
    with owner.read() as session:
        rights = "select privilege_type from information_schema.role_table_grants where grantee = :role "
        found = session.scalars(text(rights + "and table_name = 'audit'"), {"role": ROLE}).all()
    assert set(found) == {"SELECT", "INSERT"}


def test_the_api_of_the_tests_is_no_owner_either(api: Api) -> None:
    """So all that they ask of it is done with these rights."""
    api.get("/instances")
    with api.database.read() as session:
        names = "select distinct usename from pg_stat_activity where application_name = 'berth-api-wakeups'"
        assert set(session.scalars(text(f"{names} and datname = current_database()"))) == {ROLE}

"""The rights that the page on security gives to the application's own role: it adds to the trail."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from db.session import Database, Tx, open_database
from domain.specs import Caller
from services.audit import note
from tests.support.postgres import PostgresServer

pytestmark = pytest.mark.servers
PAGE = Path(__file__).parents[2] / "docs" / "security.md"
ROLE = "berth_app"


def grants() -> list[str]:
    """The statements as the page has them."""
    return re.findall(r"^(?:grant|revoke) .*$", PAGE.read_text(), re.M)


@pytest.fixture(scope="module")
def database(postgres_server: PostgresServer) -> Iterator[Database]:
    """As the owner; `as_application` makes a transaction the application's."""
    opened = open_database(postgres_server.new_database(), pool_size=1)
    with opened.begin() as tx:
        tx.session.execute(text(f"create role {ROLE} nologin"))
        for statement in grants():
            tx.session.execute(text(statement))
    yield opened
    with opened.begin() as tx:
        tx.session.execute(text(f"drop owned by {ROLE}"))
        tx.session.execute(text(f"drop role {ROLE}"))
    opened.engine.dispose()


def as_application(tx: Tx) -> None:
    tx.session.execute(text(f"set local role {ROLE}"))


def run_as_application(database: Database, *statements: str) -> None:
    with database.begin() as tx:
        as_application(tx)
        for statement in statements:
            tx.session.execute(text(statement))


def test_the_page_has_statements_for_tables_sequences_and_the_purge() -> None:
    assert len(grants()) == 4


def test_the_application_adds_entries_and_reads_them(database: Database) -> None:
    with database.begin() as tx:
        as_application(tx)
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
    ],
)
def test_the_application_changes_and_removes_nothing_of_the_trail(database: Database, statement: str) -> None:
    with pytest.raises(DBAPIError, match=r"permission denied|must be owner"):
        run_as_application(database, statement)


def test_a_setting_of_the_session_opens_nothing(database: Database) -> None:
    with pytest.raises(DBAPIError, match="permission denied"):
        run_as_application(database, "set local berth.purging_audit = 'yes'", "delete from audit")


def test_the_application_purges_what_is_old_through_the_function(database: Database) -> None:
    with database.begin() as tx:
        tx.session.execute(
            text(
                "insert into audit (id, time, actor, action, outcome) "
                "values ('aud_old', now() - interval '500 days', 'old', 'x', 'done')"
            )
        )
    with database.begin() as tx:
        as_application(tx)
        assert tx.session.scalar(text("select purge_audit(now() - interval '400 days', 10)")) == 1


def test_the_application_does_everything_else(database: Database) -> None:
    with database.begin() as tx:
        as_application(tx)
        tx.session.execute(text("select nextval('lifecycle_event_seq')"))
        tx.session.execute(text("delete from rate_buckets"))
        tx.session.execute(text("update tokens set last_used_at = now()"))

"""What rests in the pool is asked whether it lives before it is used; who does not answer is soon given up."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import text

from db import session as module
from db.session import Database, open_database
from settings import psycopg2_url

pytestmark = pytest.mark.servers


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    opened = open_database(psycopg2_url(database_url), pool_size=1)
    yield opened
    opened.engine.dispose()


def asked(database: Database, question: str) -> int:
    with database.begin() as tx:
        return int(tx.run(text(question)).scalar_one())


@contextmanager
def frozen(pid: int) -> Iterator[None]:
    """A process of the server that acknowledges everything and answers nothing."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def test_a_connection_that_froze_in_the_pool_is_soon_given_up_for_a_new_one(database: Database) -> None:
    first = asked(database, "select pg_backend_pid()")
    assert asked(database, "select pg_backend_pid()") == first, "it rests in the pool and is taken again"
    with frozen(first):
        began = time.monotonic()
        assert asked(database, "select pg_backend_pid()") != first
        assert time.monotonic() - began < 12.0


def test_what_is_asked_after_the_ping_has_the_time_of_any_statement(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_PING_SECONDS", 0.5)
    first = asked(database, "select pg_backend_pid()")
    assert asked(database, "select pg_backend_pid() from pg_sleep(1.5)") == first

"""Our errors as Temporal's: records that are away for a while are told from records that refuse."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from sqlalchemy import QueuePool, text
from temporalio.exceptions import ApplicationError

from activities.failures import as_temporal_failures
from db.session import Database, open_database
from settings import psycopg2_url

pytestmark = pytest.mark.servers


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    opened = open_database(psycopg2_url(database_url), pool_size=1)
    yield opened
    opened.engine.dispose()


def paused_in_a_transaction(database: Database) -> None:
    with as_temporal_failures(), database.begin() as tx:
        tx.run(text("set idle_in_transaction_session_timeout = 100"))
        time.sleep(0.7)
        tx.run(text("select 1"))


def test_a_transaction_that_the_server_ended_because_we_were_paused_refused_nothing(database: Database) -> None:
    with pytest.raises(ApplicationError) as told:
        paused_in_a_transaction(database)
    assert (told.value.type, told.value.non_retryable) == ("database-unavailable", False)


def test_records_whose_connections_are_all_taken_do_not_answer(database: Database) -> None:
    """As by calls that wait for a server that is frozen."""
    pool = database.engine.pool
    assert isinstance(pool, QueuePool)
    pool._timeout = 0.2
    with ExitStack() as taken:
        for _ in range(2):
            taken.enter_context(database.engine.connect())
        with pytest.raises(ApplicationError) as told, as_temporal_failures(), database.begin() as tx:
            tx.run(text("select 1"))
    assert (told.value.type, told.value.non_retryable) == ("database-unavailable", False)


def test_a_statement_that_is_wrong_was_refused(database: Database) -> None:
    with pytest.raises(ApplicationError) as told, as_temporal_failures(), database.begin() as tx:
        tx.run(text("select 1 / 0"))
    assert told.value.type == "database-refused"

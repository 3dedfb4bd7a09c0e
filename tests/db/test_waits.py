"""Every wait for the records has an end: libpq's own bounds do not see a server that is frozen."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from socket import create_connection, create_server

import psycopg2
import pytest
from psycopg2.extensions import parse_dsn
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from db.direct import direct
from db.session import open_database
from settings import psycopg2_url
from system.postgres_waits import BoundedConnection, _places

pytestmark = pytest.mark.servers
_BUSY_MACHINE_SECONDS = 30.0


@pytest.fixture
def brief(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BoundedConnection, "answer_seconds", 0.5)


@contextmanager
def soon() -> Iterator[None]:
    began = time.monotonic()
    yield
    assert time.monotonic() - began < _BUSY_MACHINE_SECONDS


@pytest.mark.usefixtures("brief")
def test_an_answer_that_does_not_come_ends_the_wait_and_the_connection(database_url: str) -> None:
    database = open_database(psycopg2_url(database_url))
    with soon(), pytest.raises(OperationalError, match="not answer in time") as late, database.begin() as tx:
        tx.run(text("select pg_sleep(60)"))
    assert late.value.connection_invalidated
    with database.begin() as tx:
        assert tx.run(text("select 1")).scalar_one() == 1, "the next one gets a new connection"
    database.engine.dispose()


@pytest.mark.usefixtures("brief")
def test_connections_beside_the_pool_are_bounded_too(database_url: str) -> None:
    database = open_database(psycopg2_url(database_url))
    with closing(direct(database.engine, "of a test")()) as connection, connection.cursor() as cursor:
        with soon(), pytest.raises(psycopg2.OperationalError, match="not answer in time"):
            cursor.execute("select pg_sleep(60)")
        assert connection.closed
    database.engine.dispose()


def test_who_takes_a_connection_and_says_nothing_is_given_up() -> None:
    """A frozen server's kernel goes on to take connections."""
    with takes_and_says_nothing() as port:
        database = open_database(f"postgresql+psycopg2://berth@127.0.0.1:{port}/berth")
        with soon(), pytest.raises(OperationalError, match="not answer in time"), database.begin() as tx:
            tx.run(text("select 1"))
        database.engine.dispose()


@contextmanager
def drops_everything() -> Iterator[int]:
    """The port of somebody whose queue of callers is full: who calls then gets no answer, as in a dead network."""
    with create_server(("127.0.0.1", 0), backlog=0) as full, create_connection(full.getsockname()):
        yield full.getsockname()[1]


@contextmanager
def takes_and_says_nothing() -> Iterator[int]:
    """As the kernel of a frozen server does."""
    with create_server(("127.0.0.1", 0)) as mute:
        yield mute.getsockname()[1]


@pytest.mark.parametrize("first", [drops_everything, takes_and_says_nothing])
def test_a_host_that_does_not_answer_is_passed_over(
    database_url: str, first: Callable[[], AbstractContextManager[int]]
) -> None:
    given = parse_dsn(psycopg2_url(database_url).replace("+psycopg2", ""))
    with first() as port:
        hosts = f"host=127.0.0.1:{port}&host={given['host']}"
        database = open_database(f"postgresql+psycopg2://{given['user']}@/{given['dbname']}?{hosts}")
        with database.begin() as tx:
            assert tx.run(text("select 1")).scalar_one() == 1
        with closing(direct(database.engine, "of a test")()) as connection, connection.cursor() as cursor:
            cursor.execute("select 1")
    database.engine.dispose()


def test_a_name_is_tried_at_each_of_its_addresses() -> None:
    places = _places({"host": "localhost,/run/postgresql,nowhere.invalid", "port": "5432"})
    tried = [(place["host"], place.get("hostaddr"), place["port"]) for place in places]
    assert ("localhost", "127.0.0.1", "5432") in tried
    assert tried[-2:] == [("/run/postgresql", None, "5432"), ("nowhere.invalid", None, "5432")]

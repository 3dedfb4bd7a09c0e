"""A real PostgreSQL per test session, the embedded one, and in it a fresh migrated database per module or test.

Import `postgres_server` and `database_url` in a folder's conftest.
"""

from __future__ import annotations

import itertools
import signal
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field

import psycopg2
import pytest
from psycopg2 import sql
from ulid import ULID

from db.migrate import upgrade
from embedded import cluster, postgres
from embedded.down import down
from embedded.installation import Installation, open_installation, prepare_directory
from settings import psycopg2_url

_TEMPLATE = "template_of_tests"
_OWN = "/berth?"


@dataclass
class PostgresServer:
    """The running server. Databases live until the session ends."""

    installation: Installation
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def url(self, name: str) -> str:
        """The SQLAlchemy URL of the database `name`."""
        return psycopg2_url(cluster.database_url(self.installation).replace(_OWN, f"/{name}?"))

    def new_database(self, server_id: str | None = None) -> str:
        """Make a migrated database with an identity of its own; returns its URL."""
        name = f"test_{next(self._numbers)}"
        self._execute("postgres", f"create database {name} template {_TEMPLATE}")
        own = server_id or str(ULID()).lower()
        fresh = f"update meta set value = '{own}' where key in ('server_id', 'epoch')"
        self._execute(name, fresh)
        return self.url(name)

    def make_template(self) -> None:
        self._execute("postgres", "alter system set fsync = off")  # tests kill processes, never the machine
        self._execute("postgres", "select pg_reload_conf()")
        self._execute("postgres", f"create database {_TEMPLATE}")
        upgrade(self.url(_TEMPLATE))

    def start(self) -> None:
        """Start it again after it was killed."""
        postgres.start(cluster.prepare(self.installation))

    def _execute(self, database: str, statement: str) -> None:
        with closing(
            psycopg2.connect(self.url(database).replace("+psycopg2", ""), connect_timeout=5)
        ) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(sql.SQL(statement))


@contextmanager
def orderly_end() -> Iterator[None]:
    """SIGTERM ends the session with all its clean-up: servers and workers of a killed pytest would go on."""
    before = signal.signal(signal.SIGTERM, lambda number, frame: pytest.exit("terminated", returncode=143))
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    folder = tmp_path_factory.mktemp("records") / "data"
    prepare_directory(folder)
    server = PostgresServer(open_installation(folder))
    try:
        with orderly_end():
            server.start()
            server.make_template()
            yield server
    finally:
        down(server.installation, purge=True, say=lambda text: None)


@pytest.fixture(scope="module")
def database_url(postgres_server: PostgresServer) -> str:
    """A fresh database for this module."""
    return postgres_server.new_database()

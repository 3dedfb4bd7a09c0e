"""One session on somebody else's PostgreSQL server, with a deadline for every exchange.

psycopg2's asynchronous mode is what gives it: a paused server would hold a blocking connection for ever. Used by
the blueprint that runs servers and by what allocates databases on them; each turns psycopg2's errors into its own.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg2
import psycopg2.extensions
from psycopg2 import sql

from system.postgres_waits import until_answered


class NoAnswerInTime(Exception):
    """The deadline of the session is over."""


@dataclass(frozen=True)
class Login:
    """Where and as whom. `options`: further words of a libpq connection, such as `sslmode`."""

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    database: str
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Session:
    """One connection in autocommit and the moment until which everything on it must be done."""

    connection: Any
    deadline: float

    def rows(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """What a query finds."""
        with self.connection.cursor() as cursor:
            cursor.execute(statement, values)
            self.wait()
            found: list[tuple[Any, ...]] = cursor.fetchall()
        return found

    def run(self, statement: sql.Composed) -> None:
        """A statement that finds nothing."""
        with self.connection.cursor() as cursor:
            cursor.execute(statement)
            self.wait()

    def verifier(self, role: str, password: str) -> str:
        """What the server stores of a password: no statement, and no log of one, ever holds the password."""
        return psycopg2.extensions.encrypt_password(
            password, role, scope=self.connection, algorithm="scram-sha-256"
        )

    def wait(self) -> None:
        """Until the server has answered. Raises `NoAnswerInTime`."""
        if not until_answered(self.connection, self.deadline):
            raise NoAnswerInTime


@contextmanager
def session(login: Login, seconds: float, *, lock_seconds: float = 0.0) -> Iterator[Session]:
    """A session that ends after `seconds` at the latest. `lock_seconds` 0: locks are waited for as long.

    What the user of the server has set for new sessions must not fail our questions: the limits are our own.
    Raises `psycopg2.Error` and `NoAnswerInTime`.
    """
    limits = f"-c statement_timeout={int(seconds * 1000)} -c lock_timeout={int(lock_seconds * 1000)}"
    connection = psycopg2.connect(
        async_=1,
        host=login.host,
        port=login.port,
        user=login.user,
        password=login.password,
        dbname=login.database,
        application_name="berth",
        options=limits,
        gssencmode="disable",
        passfile="/dev/null",  # no password file of the caller's may answer for us
        **login.options,
    )
    try:
        opened = Session(connection, time.monotonic() + seconds)
        opened.wait()
        yield opened
    finally:
        connection.close()


def first_line(error: psycopg2.Error) -> str:
    """What the server or the library said, without the rest of its story."""
    return str(error).strip().partition("\n")[0][:300]

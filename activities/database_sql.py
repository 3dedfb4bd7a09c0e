"""Databases and roles on a PostgreSQL server, made and dropped over TCP by its administrator.

Called by `activities.databases`. Every exchange has a deadline: a paused server would hold a blocking connection,
so it is psycopg2's asynchronous mode. No statement holds a password, only what the server stores of it.
"""

from __future__ import annotations

import select
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg2
import psycopg2.extensions
from psycopg2 import sql

from domain.errors import ProviderError, ProviderErrorKind

_SECONDS = 20.0
_LOCK = 7305806
_REFUSED = ("authentication failed", "no pg_hba.conf entry", "not permitted to log in", "permission denied")


class NameForeign(ProviderError):
    """A role or database of this name exists on the server, and Berth did not make it for this deployment."""

    def __init__(self, name: str) -> None:
        super().__init__(ProviderErrorKind.INVALID, f"{name!r} on the server belongs to somebody else")


@dataclass(frozen=True)
class Administrator:
    """How Berth logs in to a server. `options`: further words of a libpq connection, such as `sslmode`."""

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    database: str = "postgres"
    options: tuple[tuple[str, str], ...] = ()
    closes: tuple[str, ...] = ()
    """Databases that nobody else needs to enter: on a server of Berth's own."""


@dataclass(frozen=True)
class Wanted:
    """A database and the role that owns it, of the same name. `mark` is what tells it from a stranger's."""

    name: str
    password: str = field(repr=False)
    mark: str = ""


def ensure_database(admin: Administrator, wanted: Wanted, guard: Callable[[], None]) -> None:
    """Make role and database exist, with this password, closed to everybody else. Raises `NameForeign`."""
    name = sql.Identifier(wanted.name)
    with _session(admin) as session:
        session.rows("select pg_advisory_lock(%s)", _LOCK)
        guard()
        _ensure_role(session, wanted)
        owner = _owner(session, wanted.name)
        if owner is None:
            session.run(sql.SQL("create database {0} owner {0}").format(name))
        elif owner != wanted.name:
            raise NameForeign(wanted.name)
        for closed in (wanted.name, *admin.closes):
            session.run(sql.SQL("revoke all on database {} from public").format(sql.Identifier(closed)))


def set_password(admin: Administrator, wanted: Wanted, guard: Callable[[], None]) -> None:
    """Give a role that exists this password. Sessions that are open go on."""
    with _session(admin) as session:
        guard()
        verifier = sql.Literal(session.verifier(wanted))
        session.run(sql.SQL("alter role {} password {}").format(sql.Identifier(wanted.name), verifier))


def _ensure_role(session: _Session, wanted: Wanted) -> None:
    name = sql.Identifier(wanted.name)
    verifier = sql.Literal(session.verifier(wanted))
    mark = _mark(session, wanted.name)
    if mark is None:
        if _owner(session, wanted.name) is not None:
            raise NameForeign(wanted.name)
        # One message is one transaction: the role never stands there without its mark.
        made = sql.SQL(
            "create role {0} login nosuperuser nocreatedb nocreaterole password {1}; comment on role {0} is {2}"
        )
        session.run(made.format(name, verifier, sql.Literal(wanted.mark)))
        if not session.rows("select rolsuper from pg_roles where rolname = current_user")[0][0]:
            session.run(sql.SQL("grant {} to current_user").format(name))
        return
    if mark != wanted.mark:
        raise NameForeign(wanted.name)
    session.run(sql.SQL("alter role {} login password {}").format(name, verifier))


def drop_database(admin: Administrator, name: str, mark: str, guard: Callable[[], None]) -> None:
    """Drop the database with all its sessions, and its role. What is not ours, or gone already, is left alone."""
    with _session(admin) as session:
        session.rows("select pg_advisory_lock(%s)", _LOCK)
        if _mark(session, name) != mark:
            return
        guard()
        if _owner(session, name) == name:
            session.run(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))
        session.run(sql.SQL("drop role {}").format(sql.Identifier(name)))


def _mark(session: _Session, name: str) -> str | None:
    """The comment of a role; empty for one without, None when there is no such role."""
    found = session.rows(
        "select coalesce(shobj_description(oid, 'pg_authid'), '') from pg_roles where rolname = %s", name
    )
    return str(found[0][0]) if found else None


def _owner(session: _Session, name: str) -> str | None:
    """Who owns the database of that name."""
    found = session.rows("select pg_get_userbyid(datdba) from pg_database where datname = %s", name)
    return str(found[0][0]) if found else None


@dataclass(frozen=True)
class _Session:
    """One connection and the moment until which everything on it must be done."""

    connection: Any
    deadline: float

    def rows(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        with self.connection.cursor() as cursor:
            cursor.execute(statement, values)
            self.wait()
            found: list[tuple[Any, ...]] = cursor.fetchall()
        return found

    def run(self, statement: sql.Composed) -> None:
        with self.connection.cursor() as cursor:
            cursor.execute(statement)
            self.wait()

    def verifier(self, wanted: Wanted) -> str:
        return psycopg2.extensions.encrypt_password(
            wanted.password, wanted.name, scope=self.connection, algorithm="scram-sha-256"
        )

    def wait(self) -> None:
        while (state := self.connection.poll()) != psycopg2.extensions.POLL_OK:
            handle, left = self.connection.fileno(), self.deadline - time.monotonic()
            reading = state == psycopg2.extensions.POLL_READ
            ready = left > 0 and any(
                select.select([handle] if reading else [], [] if reading else [handle], [], left)
            )
            if not ready:
                raise ProviderError(ProviderErrorKind.NOT_READY, "the database server does not answer in time")


@contextmanager
def _session(admin: Administrator) -> Iterator[_Session]:
    """A session in autocommit. Errors come out classified, without what was sent."""
    connection = None
    words: dict[str, Any] = dict(admin.options)
    try:
        connection = psycopg2.connect(
            async_=1,
            host=admin.host,
            port=admin.port,
            user=admin.user,
            password=admin.password,
            dbname=admin.database,
            application_name="berth",
            options=f"-c statement_timeout={int(_SECONDS * 1000)} -c lock_timeout={int(_SECONDS * 1000)}",
            gssencmode="disable",
            **words,
            passfile="/dev/null",  # no password file of the caller's may answer for us
        )
        session = _Session(connection, time.monotonic() + _SECONDS)
        session.wait()
        yield session
    except psycopg2.Error as error:
        raise _classified(error, admin) from None
    finally:
        if connection is not None:
            connection.close()


def _classified(error: psycopg2.Error, admin: Administrator) -> ProviderError:
    message = str(error).strip().partition("\n")[0][:300]
    where = f"the database server at {admin.host}:{admin.port}"
    if any(words in message for words in _REFUSED):
        return ProviderError(ProviderErrorKind.AUTH, f"{where} refused Berth's login or right: {message}")
    return ProviderError(ProviderErrorKind.TRANSIENT, f"{where} said: {message}")

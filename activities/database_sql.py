"""Databases and roles on a PostgreSQL server, made and dropped over TCP by its administrator.

Called by `activities.databases`. Every exchange has a deadline. No statement holds a password, only what the
server stores of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import psycopg2
from psycopg2 import sql

from domain.errors import ProviderError, ProviderErrorKind
from system import postgres_client
from system.postgres_client import Login, Session

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
        verifier = sql.Literal(session.verifier(wanted.name, wanted.password))
        session.run(sql.SQL("alter role {} password {}").format(sql.Identifier(wanted.name), verifier))


def _ensure_role(session: Session, wanted: Wanted) -> None:
    name = sql.Identifier(wanted.name)
    verifier = sql.Literal(session.verifier(wanted.name, wanted.password))
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


def _mark(session: Session, name: str) -> str | None:
    """The comment of a role; empty for one without, None when there is no such role."""
    found = session.rows(
        "select coalesce(shobj_description(oid, 'pg_authid'), '') from pg_roles where rolname = %s", name
    )
    return str(found[0][0]) if found else None


def _owner(session: Session, name: str) -> str | None:
    """Who owns the database of that name."""
    found = session.rows("select pg_get_userbyid(datdba) from pg_database where datname = %s", name)
    return str(found[0][0]) if found else None


@contextmanager
def _session(admin: Administrator) -> Iterator[Session]:
    """A session in autocommit. Errors come out classified, without what was sent."""
    login = Login(admin.host, admin.port, admin.user, admin.password, admin.database, dict(admin.options))
    try:
        with postgres_client.session(login, _SECONDS, lock_seconds=_SECONDS) as opened:
            yield opened
    except postgres_client.NoAnswerInTime:
        late = "the database server does not answer in time"
        raise ProviderError(ProviderErrorKind.NOT_READY, late) from None
    except psycopg2.Error as error:
        raise _classified(error, admin) from None


def _classified(error: psycopg2.Error, admin: Administrator) -> ProviderError:
    message = postgres_client.first_line(error)
    where = f"the database server at {admin.host}:{admin.port}"
    if any(words in message for words in _REFUSED):
        return ProviderError(ProviderErrorKind.AUTH, f"{where} refused Berth's login or right: {message}")
    return ProviderError(ProviderErrorKind.TRANSIENT, f"{where} said: {message}")

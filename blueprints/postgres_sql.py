"""What the postgres blueprint asks of a running server, over real connections with deadlines.

`app` is the role people get; `berth_admin` is used here alone. Messages name the cause and never a password.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import psycopg2
from psycopg2 import sql

from domain.errors import ProviderError, ProviderErrorKind
from domain.work import Form, Work
from system import postgres_client
from system.postgres_client import Login, Session

ADMIN, APP = "berth_admin", "app"
_ANSWER_SECONDS = 5.0
_VERIFIER = re.compile(r"SCRAM-SHA-256\$(?P<n>\d+):(?P<salt>[^$]+)\$(?P<key>[^:]+):.+")
_PREPARE_SECONDS = 20.0
_PREPARE_LOCK = 7305805
_PLAIN = sql.SQL("{} role {} login nosuperuser nocreatedb nocreaterole password {}")
_AS_IT_IS = sql.SQL("{} role {} login password {}")
"""In a container `app` has made the server, and who has done that stays superuser."""
_FULL = ("too many clients already", "remaining connection slots are reserved", "too many connections")
_REFUSED = ("authentication failed", "no pg_hba.conf entry", "does not exist", "not permitted to log in")


class _ServerFullError(Exception):
    """It answers, but every connection that this role may have is in use."""


def probe(work: Work, timeout_seconds: float) -> None:
    """Return when `app` can log in and query. A server whose slots are all in use does serve."""
    try:
        with _session(work, APP, timeout_seconds) as session:
            session.rows("select 1")
    except _ServerFullError:
        with _session(work, ADMIN, timeout_seconds) as session:
            session.rows("select 1")


def prepare(work: Work) -> None:
    """Role and database `app`, with the password of the records. Changes nothing where that is so already."""
    if work.form is Form.CONTAINER and _has_no_admin(work):
        _add_admin(work)
    with _session(work, ADMIN, _PREPARE_SECONDS) as session:
        # Two attempts side by side would both find nothing and both create.
        session.rows("select pg_advisory_lock(%s)", _PREPARE_LOCK)
        found = session.rows("select rolpassword from pg_authid where rolname = %s", APP)
        if not found or not is_verifier_of(found[0][0] or "", work.secrets["password"]):
            role = _AS_IT_IS if work.form is Form.CONTAINER else _PLAIN
            verb = sql.SQL("alter" if found else "create")
            session.run(
                role.format(verb, sql.Identifier(APP), sql.Literal(session.verifier(APP, _password(APP, work))))
            )
        if not session.rows("select 1 from pg_database where datname = %s", APP):
            session.run(sql.SQL("create database {0} owner {0}").format(sql.Identifier(APP)))


def _has_no_admin(work: Work) -> bool:
    """Whether the image's own initialisation is all that was done: `app` may log in and is alone.

    `app` whose password is no longer that of the records is left to the administrator, who is there then.
    """
    try:
        with _session(work, APP, _PREPARE_SECONDS) as session:
            return not session.rows("select 1 from pg_roles where rolname = %s", ADMIN)
    except _ServerFullError:
        return False  # it has served before, and for that the administrator was made
    except ProviderError as error:
        if error.kind is not ProviderErrorKind.AUTH:
            raise
        return False


def _add_admin(work: Work) -> None:
    """Berth's own administrator, made by the role that the image's initialisation has made."""
    with _session(work, APP, _PREPARE_SECONDS) as session:
        session.rows("select pg_advisory_lock(%s)", _PREPARE_LOCK)
        if not session.rows("select 1 from pg_roles where rolname = %s", ADMIN):
            role = sql.SQL("create role {} login superuser password {}")
            session.run(
                role.format(sql.Identifier(ADMIN), sql.Literal(session.verifier(ADMIN, _password(ADMIN, work))))
            )


def is_verifier_of(stored: str, password: str) -> bool:
    """Whether `SCRAM-SHA-256$<iterations>:<salt>$<stored key>:<server key>` was made of this password (RFC 5802).

    Trying a login instead would leave a line about a failed one in the log of every new server.
    """
    found = _VERIFIER.fullmatch(stored)
    if found is None:
        return False
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), base64.b64decode(found["salt"]), int(found["n"]))
    client_key = hmac.digest(salted, b"Client Key", "sha256")
    return hmac.compare_digest(hashlib.sha256(client_key).digest(), base64.b64decode(found["key"]))


def settings(work: Work, names: Sequence[str]) -> dict[str, tuple[str, str | None]]:
    """Value and unit of each setting, as a session sees them that begins now."""
    with _session(work, ADMIN, _ANSWER_SECONDS) as session:
        rows = session.rows("select name, setting, unit from pg_settings where name = any(%s)", list(names))
    return {row[0]: (row[1], row[2]) for row in rows}


OWN_SETTINGS = frozenset({"statement_timeout", "lock_timeout"})
"""What our sessions set for themselves: the user's choice must not fail our questions."""


@contextmanager
def _session(work: Work, role: str, seconds: float) -> Iterator[Session]:
    """A session of `role` in autocommit. Errors come out classified."""
    database = APP if role == APP else "postgres"
    login = Login("127.0.0.1", work.own_port, role, _password(role, work), database, {"sslmode": "disable"})
    try:
        with postgres_client.session(login, seconds) as opened:
            yield opened
    except postgres_client.NoAnswerInTime:
        raise ProviderError(ProviderErrorKind.NOT_READY, "the server does not answer in time") from None
    except psycopg2.Error as error:
        raise _classified(error, role) from None


def _password(role: str, work: Work) -> str:
    return work.secrets["password" if role == APP else "admin_password"]


def _classified(error: psycopg2.Error, role: str) -> Exception:
    message = postgres_client.first_line(error)
    if any(words in message for words in _FULL) and role == APP:
        return _ServerFullError()
    if any(words in message for words in _REFUSED):
        return ProviderError(
            ProviderErrorKind.AUTH, f"the server refused the login that Berth has stored: {message}"
        )
    return ProviderError(ProviderErrorKind.NOT_READY, f"not ready: {message}")

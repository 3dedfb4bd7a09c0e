"""Waiting for PostgreSQL with a deadline: a server that is frozen acknowledges everything and answers nothing.

psycopg2 leaves its waiting to one function of the process where there is one, that for a new connection included:
https://www.psycopg.org/docs/advanced.html#support-for-coroutine-libraries. libpq's own `connect_timeout` does not
count then, so ours counts it. psycopg2 closes a connection that was waited for in vain.
"""

from __future__ import annotations

import select
import time
from typing import Any

import psycopg2
from psycopg2.extensions import (
    POLL_OK,
    POLL_READ,
    STATUS_SETUP,
    connection,
    parse_dsn,
    set_wait_callback,
)

_NEXT_HOST_SECONDS = 11.0
"""Of several hosts, one that takes no connection is given up after the `tcp_user_timeout` of our connections."""


class BoundedConnection(connection):
    """No exchange on it lasts for longer than `answer_seconds`: then `psycopg2.OperationalError` is raised.

    More than what the server itself allows a statement of ours, so that a slow one ends with the server's words.
    """

    answer_seconds = 17.0


def bound_waits() -> None:
    """From here on all blocking connections of this process are waited for by `_wait`. May be called again."""
    set_wait_callback(_wait)


def readable(channel: Any, seconds: float) -> bool:
    """Whether something with a file descriptor has something to read within so long."""
    return _ready(channel, select.POLLIN, time.monotonic() + seconds)


def until_answered(waited_for: Any, deadline: float | None) -> bool:
    """Wait until a connection of psycopg2 has its answer. False: the deadline, of the monotonic clock, is over."""
    while (state := waited_for.poll()) != POLL_OK:
        if not _ready(waited_for, select.POLLIN if state == POLL_READ else select.POLLOUT, deadline):
            return False
    return True


def _ready(channel: Any, events: int, deadline: float | None) -> bool:
    # Not select(): it cannot see what has a number above 1,023, as in an API with many sockets.
    sight = select.poll()
    sight.register(channel, events)
    return bool(sight.poll(None if deadline is None else max(0.0, deadline - time.monotonic()) * 1000))


def _wait(waited_for: Any) -> None:
    if waited_for.status == STATUS_SETUP:
        allowed = _connecting_seconds(waited_for.dsn)
    else:
        allowed = getattr(waited_for, "answer_seconds", None)
    if not until_answered(waited_for, None if allowed is None else time.monotonic() + allowed):
        raise psycopg2.OperationalError("the database server does not answer in time")


def _connecting_seconds(dsn: str) -> float | None:
    named = parse_dsn(dsn)
    hosts = str(named.get("host", "")).count(",") + 1
    if "connect_timeout" not in named:
        return None
    return float(named["connect_timeout"]) if hosts == 1 else hosts * _NEXT_HOST_SECONDS

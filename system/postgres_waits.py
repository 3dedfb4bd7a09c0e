"""Waiting for PostgreSQL with a deadline: a server that is frozen acknowledges everything and answers nothing.

psycopg2 leaves its waiting to one function of the process where there is one, that for a new connection included:
https://www.psycopg.org/docs/advanced.html#support-for-coroutine-libraries. libpq's own `connect_timeout` does not
count then, so ours counts it. psycopg2 closes a connection that was waited for in vain.
"""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Mapping
from typing import Any

import psycopg2
import structlog
from psycopg2.extensions import (
    POLL_OK,
    POLL_READ,
    STATUS_SETUP,
    connection,
    parse_dsn,
    set_wait_callback,
)

log = structlog.get_logger("postgres")


class BoundedConnection(connection):
    """No exchange on it lasts for longer than `answer_seconds`: then `psycopg2.OperationalError` is raised.

    More than what the server itself allows a statement of ours, so that a slow one ends with the server's words.
    """

    answer_seconds = 17.0


def bound_waits() -> None:
    """From here on all blocking connections of this process are waited for by `_wait`. May be called again."""
    set_wait_callback(_wait)


def connect(**keywords: Any) -> BoundedConnection:
    """Connect with libpq's `keywords`: to the first host and address that answers, each within `connect_timeout`.

    libpq goes on to the next by time only where it does the waiting itself. Raises `psycopg2.OperationalError`, of
    the last one that was tried.
    """
    *others, last = _places(keywords)
    rest = {name: value for name, value in keywords.items() if name not in ("host", "port")}
    for place in others:
        try:
            return _connected(rest | place)
        except psycopg2.OperationalError as error:
            log.warning("a database host is passed over", kind=type(error).__name__, **place)
    return _connected(rest | last)


def _connected(keywords: dict[str, Any]) -> BoundedConnection:
    made: BoundedConnection = psycopg2.connect(**keywords, connection_factory=BoundedConnection)
    return made


def _places(keywords: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Each host and address by itself. No host, a socket, an unknown name: libpq finds out what is meant."""
    hosts = str(keywords.get("host", "")).split(",")
    ports = str(keywords.get("port", "")).split(",")
    if len(ports) != len(hosts):
        ports = ports[:1] * len(hosts)
    found: list[dict[str, Any]] = []
    for host, port in zip(hosts, ports, strict=True):
        place = {name: value for name, value in (("host", host), ("port", port)) if value}
        addresses = [] if "hostaddr" in keywords else _addresses(host, port)
        found += [place | {"hostaddr": address} for address in addresses] or [place]
    return found


def _addresses(host: str, port: str) -> list[str]:
    if not host or host.startswith(("/", "@")):
        return []
    try:
        known = socket.getaddrinfo(host, port or None, type=socket.SOCK_STREAM)
    except OSError:
        return []
    return list(dict.fromkeys(str(address[0]) for *_, address in known))


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
    allowed = parse_dsn(dsn).get("connect_timeout")
    return None if allowed is None else float(allowed)

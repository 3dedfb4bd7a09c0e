"""Connections beside the pool, for what holds or listens for long: wake-ups of API and worker, locks of an agent.

A dead peer is noticed on both sides within seconds: a lock must not outlive the machine of its holder by hours.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from psycopg2.extensions import ISOLATION_LEVEL_AUTOCOMMIT
from sqlalchemy import Engine

from db.session import LOST_PEER, LOST_PEER_OPTIONS
from system.postgres_waits import bound_waits, connect

_NAME_LENGTH = 63
_SESSION = f"-c statement_timeout=5000 {LOST_PEER_OPTIONS}"


def direct(engine: Engine, name: str) -> Callable[[], Any]:
    """How to connect as `engine` does, outside its pool. `name` is what the server shows of the connection."""
    _, keywords = engine.dialect.create_connect_args(engine.url)
    bound_waits()
    bounded = {
        "connect_timeout": 5,
        **LOST_PEER,
        "application_name": name[:_NAME_LENGTH],
        "options": _SESSION,
    }

    def opened() -> Any:
        connection = connect(**{**keywords, **bounded})
        connection.set_isolation_level(ISOLATION_LEVEL_AUTOCOMMIT)
        return connection

    return opened

"""One live worker per host and per name: advisory locks on a connection that lives as long as the process.

The database lets go of them when the process dies, so a successor need not wait for any time-out.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

import psycopg2

_KEY = "hashtextextended(%s, 0)"
_TRY = f"select pg_try_advisory_lock({_KEY})"
_HOLDER = f"""
    select a.application_name, coalesce(host(a.client_addr), 'this machine'), a.backend_start at time zone 'utc'
    from pg_locks l join pg_stat_activity a on a.pid = l.pid
    where l.locktype = 'advisory' and l.granted and l.objsubid = 1
      and l.database = (select oid from pg_database where datname = current_database())
      and ((l.classid::bigint << 32) | l.objid::bigint) = {_KEY}
"""  # noqa: S608 - a constant


class AgentLocks:
    """All of them or none. Used by one task at a time."""

    def __init__(self, connect: Callable[[], Any], keys: Sequence[tuple[str, str]]) -> None:
        """`keys`: (what it stands for, in words; the key)."""
        self._connect = connect
        self._keys = keys
        self._connection: Any = None
        self._lock = threading.Lock()

    def acquire(self) -> str | None:
        """None when they are ours now, else who has one of them, in words. Raises `psycopg2.Error`."""
        with self._lock:
            try:
                if self._connection is None:
                    self._connection = self._connect()
                return self._held_by(self._connection)
            except psycopg2.Error:
                self._close()
                raise

    def alive(self) -> bool:
        """Whether the connection, and with it every lock, still stands."""
        with self._lock:
            if self._connection is None:
                return False
            try:
                with self._connection.cursor() as cursor:
                    cursor.execute("select 1")
            except psycopg2.Error:
                self._close()
                return False
            return True

    def release(self) -> None:
        """Let go of them."""
        with self._lock:
            self._close()

    def _held_by(self, connection: Any) -> str | None:
        with connection.cursor() as cursor:
            for what, key in self._keys:
                cursor.execute(_TRY, (key,))
                if not cursor.fetchone()[0]:
                    cursor.execute(_HOLDER, (key,))
                    holder = cursor.fetchone()
                    cursor.execute("select pg_advisory_unlock_all()")
                    return f"{what} is taken by {_who(holder)}"
        return None

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _who(row: tuple[str, str, Any] | None) -> str:
    if row is None:
        return "another worker, which is just leaving"
    name, address, since = row
    return f"{name} ({address}, since {since:%Y-%m-%d %H:%M:%S} UTC)"

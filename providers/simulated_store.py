"""The one file behind the simulated provider: its objects, its call counts and its scripted faults.

Used by `providers/simulated.py` alone. Several processes may use the same file at once. WAL without an fsync per
commit: a killed process loses nothing, which is all that a simulation has to promise, and a verb stays far
below a millisecond.
"""

from __future__ import annotations

import dataclasses
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from domain.work import Work
from providers.simulated_faults import FOR_EVER, Fault, FaultKind, Verb, scripted
from providers.simulated_object import SimulatedObject

_SCHEMA = """
create table if not exists objects (
    instance_id text primary key,
    server_id text not null,
    project text not null,
    deployment_id text not null,
    generation integer not null,
    signature text not null,
    name text not null,
    state text not null,
    settles_to text,
    settles_at real,
    params text not null
) strict;
create table if not exists calls (
    instance_id text not null, verb text not null, n integer not null, primary key (instance_id, verb)
) strict, without rowid;
create table if not exists faults (
    id integer primary key autoincrement,
    verb text not null, kind text not null, times integer not null, seconds real, instance text not null,
    unique (verb, instance)
) strict;
create table if not exists uses (
    instance_id text not null, fault text not null, n integer not null, primary key (instance_id, fault)
) strict, without rowid;
create table if not exists lines (
    id integer primary key, instance_id text not null, at real not null, line text not null
) strict;
create index if not exists lines_by_instance on lines (instance_id, id);
"""
_KEPT_LINES = 500


class SimulatedStore:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._local = threading.local()
        path.parent.mkdir(parents=True, exist_ok=True)
        with self.transaction() as db:
            for statement in _SCHEMA.split(";"):
                db.execute(statement)

    def close(self) -> None:
        """Close this thread's connection."""
        if hasattr(self._local, "connection"):
            self._local.connection.close()
            del self._local.connection

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        db = self._connection()
        db.execute("begin immediate")
        try:
            yield db
        except BaseException:
            db.execute("rollback")
            raise
        db.execute("commit")

    def begin_call(self, work: Work, verb: Verb) -> Fault | None:
        """Count the call and use up the fault it meets, committed before anything happens."""
        with self.transaction() as db:
            db.execute(
                "insert into calls values (?, ?, 1) on conflict do update set n = n + 1",
                (work.instance_id, verb.value),
            )
            return self._set_at_run_time(db, work, verb) or self._scripted(db, work, verb)

    def find(self, instance_id: str, now: float) -> SimulatedObject | None:
        row = self._connection().execute("select * from objects where instance_id = ?", (instance_id,)).fetchone()
        return None if row is None else SimulatedObject(*row).at(now)

    def all(self, now: float) -> list[SimulatedObject]:
        rows = self._connection().execute("select * from objects order by instance_id").fetchall()
        seen = (SimulatedObject(*row).at(now) for row in rows)
        return [found for found in seen if found is not None]

    def states(self, server_id: str, now: float) -> list[tuple[str, int, str]]:
        """Id, generation and state of every object of this server, without the rest."""
        rows = self._connection().execute(
            "select * from (select instance_id, generation,"
            " case when settles_at <= ? and settles_to is not null then settles_to else state end as state"
            " from objects where server_id = ?) where state <> 'absent'",
            (now, server_id),
        )
        return rows.fetchall()

    def put(self, db: sqlite3.Connection, found: SimulatedObject) -> None:
        values = dataclasses.astuple(found)
        db.execute(f"insert or replace into objects values ({', '.join('?' * len(values))})", values)  # noqa: S608

    def drop(self, db: sqlite3.Connection, instance_id: str) -> None:
        db.execute("delete from objects where instance_id = ?", (instance_id,))

    def say(self, db: sqlite3.Connection, instance_id: str, now: float, line: str) -> None:
        db.execute("insert into lines (instance_id, at, line) values (?, ?, ?)", (instance_id, now, line))
        db.execute(
            "delete from lines where id = (select id from lines where instance_id = ?"
            " order by id desc limit 1 offset ?)",
            (instance_id, _KEPT_LINES),
        )

    def lines(self, instance_id: str, tail: int) -> list[tuple[float, str]]:
        rows = self._connection().execute(
            "select at, line from lines where instance_id = ? order by id desc limit ?", (instance_id, tail)
        )
        return [(row[0], row[1]) for row in rows][::-1]

    def calls(self, instance_id: str) -> dict[str, int]:
        """Calls so far by verb; kept after the object is gone."""
        rows = self._connection().execute(
            "select verb, n from calls where instance_id = ? order by verb", (instance_id,)
        )
        return {row[0]: row[1] for row in rows}

    def set_fault(self, fault: Fault) -> None:
        """Replace the fault for this verb and instance; its count starts anew."""
        with self.transaction() as db:
            db.execute(
                "insert or replace into faults (verb, kind, times, seconds, instance) values (?, ?, ?, ?, ?)",
                (fault.verb.value, fault.kind.value, fault.times, fault.seconds, fault.instance),
            )

    def clear_faults(self) -> None:
        with self.transaction() as db:
            db.execute("delete from faults")

    def faults(self) -> list[Fault]:
        rows = self._connection().execute("select verb, kind, times, seconds, instance from faults order by id")
        return [Fault(Verb(verb), FaultKind(kind), *rest) for verb, kind, *rest in rows]

    def _set_at_run_time(self, db: sqlite3.Connection, work: Work, verb: Verb) -> Fault | None:
        rows: list[Any] = db.execute(
            "select id, kind, times, seconds, instance from faults where verb = ?"
            " and instance in ('*', ?, ?) order by instance = '*', id",
            (verb.value, work.name, work.instance_id),
        ).fetchall()
        for number, kind, *rest in rows:
            fault = Fault(verb, FaultKind(kind), *rest)
            if _use(db, work.instance_id, f"set/{number}", fault.times):
                return fault
        return None

    def _scripted(self, db: sqlite3.Connection, work: Work, verb: Verb) -> Fault | None:
        fault = scripted(work.params, verb)
        if fault is None:
            return None
        script = f"params/{verb.value}/{fault.kind.value}/{fault.times}/{fault.seconds}"
        return fault if _use(db, work.instance_id, script, fault.times) else None

    def _connection(self) -> sqlite3.Connection:
        if not hasattr(self._local, "connection"):
            # Autocommit: every transaction is begun and ended by `transaction`.
            db = sqlite3.connect(self._path, timeout=10.0, isolation_level=None)
            db.execute("pragma journal_mode = wal")
            db.execute("pragma synchronous = normal")
            self._local.connection = db
        connection: sqlite3.Connection = self._local.connection
        return connection


def _use(db: sqlite3.Connection, instance_id: str, fault: str, times: int) -> bool:
    """Use the fault up once for this instance; False when it has none left."""
    if times == FOR_EVER:
        return True
    row = db.execute(
        "insert into uses values (?, ?, 1) on conflict do update set n = n + 1 returning n", (instance_id, fault)
    ).fetchone()
    return bool(row[0] <= times)

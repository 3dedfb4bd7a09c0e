"""One transaction with everything a change needs: statements, the clock, its events, and who to wake.

Services take a `Tx` and never commit; `Database.begin()` does, in this order: the changes, then the events under
one lock, then NOTIFY. Locks are taken in the order deployment, operation, instances, events.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Protocol

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    CursorResult,
    DateTime,
    Engine,
    Executable,
    Insert,
    Sequence,
    bindparam,
    create_engine,
    func,
    insert,
    text,
)
from sqlalchemy.event import listen
from sqlalchemy.orm import Session
from sqlalchemy.sql.functions import Function

from db.models import Base, LifecycleEvent
from system.postgres_waits import BoundedConnection, bound_waits, connect

LOST_PEER = {"keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 3, "tcp_user_timeout": 10_000}
LOST_PEER_OPTIONS = (
    "-c tcp_keepalives_idle=5 -c tcp_keepalives_interval=2 -c tcp_keepalives_count=3 -c tcp_user_timeout=10000"
)
"""A machine that is lost says nothing: both sides notice within seconds. Else its locks, the keeper's among them,
would stand for hours."""

_LOCKS = "-c lock_timeout=10000 -c idle_in_transaction_session_timeout=5000"
"""Who waits for a lock waits for longer than a process that froze with it may hold it."""

_PING_SECONDS = 3.0
"""What answers at all says at once that it lives. Who waits for it waits for a new connection after that."""

EVENT_SEQUENCE = Sequence("lifecycle_event_seq", data_type=BigInteger, metadata=Base.metadata)
EVENT_LOCK = 0x62657274680001
KEEPER_LOCK = 0x62657274680002
MIGRATION_LOCK = 0x62657274680003

CHANNEL_EVENTS = "berth_events"
CHANNEL_OPERATIONS = "berth_operations"
CHANNEL_RECORDS = "berth_records"
"""Names a record (an operation, an instance) that shows something new which the log does not tell: a step's
progress, health. It is lost when nobody listens; whoever must know reads."""


def interval(seconds: Any) -> Function[timedelta]:
    """So many seconds, fractions too, to add to a time of the database."""
    return func.make_interval(0, 0, 0, 0, 0, 0, seconds)


class Clock(Protocol):
    """Where stored times come from: an SQL expression, so that every row is stamped by one clock."""

    def now(self) -> ColumnElement[datetime]:
        """The time to store."""

    def __hash__(self) -> int:
        """Statements that use a clock are built once per clock."""


class DatabaseClock:
    """The database's own clock, at the moment of the statement."""

    def now(self) -> ColumnElement[datetime]:
        """`clock_timestamp()`: later statements of one transaction are later."""
        return func.clock_timestamp()


class FixedClock:
    """A clock that tests set."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def now(self) -> ColumnElement[datetime]:
        """The time that the test has set when the statement runs."""
        return bindparam("fixed_now", callable_=lambda: self.at, type_=DateTime(timezone=True), unique=True)


@dataclass
class Tx:
    """An open transaction."""

    session: Session
    clock: Clock
    _events: list[dict[str, Any]] = field(default_factory=list)
    _wakes: dict[tuple[str, str], None] = field(default_factory=dict)

    @property
    def now(self) -> ColumnElement[datetime]:
        """The time to store, as an SQL expression."""
        return self.clock.now()

    def run(self, statement: Executable, parameters: Any = None) -> CursorResult[Any]:
        """Execute a statement past the unit of work, at half the cost: for writes that no loaded object mirrors.

        Nothing is flushed before it and no loaded object is refreshed after it.
        """
        return self.session.connection().execute(statement, parameters)

    def emit(self, **event: Any) -> None:
        """Append a lifecycle event, numbered at commit."""
        self._events.append(event)
        self.wake(CHANNEL_EVENTS)

    def wake(self, channel: str, payload: str = "") -> None:
        """Notify the listeners of `channel` at commit."""
        self._wakes[channel, payload] = None

    def _finish(self) -> None:
        self.session.flush()
        if self._wakes:
            names, payloads = zip(*self._wakes, strict=True)
            self.run(_NOTIFY, {"names": list(names), "payloads": list(payloads)})
        if self._events:
            # The lock makes numbers follow commit order: it is held from the draw until the commit is visible.
            self.run(_EVENT_LOCK)
            self.run(_insert_event(self.clock), self._events)


_EVENT_LOCK = text(f"select pg_advisory_xact_lock({EVENT_LOCK})")
_NOTIFY = text(
    "select pg_notify(name, payload) "
    "from unnest(cast(:names as text[]), cast(:payloads as text[])) as wakes(name, payload)"
)


@lru_cache(maxsize=8)
def _insert_event(clock: Clock) -> Insert:
    return insert(LifecycleEvent).values(seq=EVENT_SEQUENCE.next_value(), time=clock.now())


class Database:
    """The engine and the clock. Built once per process."""

    def __init__(self, engine: Engine, clock: Clock | None = None) -> None:
        self.engine = engine
        self.clock = clock or DatabaseClock()

    @contextmanager
    def begin(self) -> Iterator[Tx]:
        """A transaction that commits when the block ends and rolls back when it raises."""
        with Session(self.engine, expire_on_commit=False) as session, session.begin():
            tx = Tx(session, self.clock)
            yield tx
            tx._finish()

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A read-only snapshot: one consistent view over several statements."""
        snapshot = self.engine.execution_options(isolation_level="REPEATABLE READ")
        with Session(snapshot, expire_on_commit=False) as session, session.begin():
            yield session


def open_database(url: str, *, pool_size: int = 10, clock: Clock | None = None) -> Database:
    """Connect lazily to `url`. Waits for a connection or an answer are bounded."""
    bound_waits()
    engine = create_engine(
        url,
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_timeout=10,
        pool_pre_ping=True,
        connect_args={
            "connect_timeout": 5,
            "options": f"-c statement_timeout=15000 {_LOCKS} -c timezone=UTC {LOST_PEER_OPTIONS}",
            "application_name": "berth",
            **LOST_PEER,
        },
    )
    listen(engine, "do_connect", _connect)
    listen(engine, "checkin", _rests)
    listen(engine, "checkout", _works)
    return Database(engine, clock)


def _connect(_dialect: object, _record: object, _arguments: object, keywords: dict[str, Any]) -> BoundedConnection:
    return connect(**keywords)


def _rests(connection: BoundedConnection | None, _record: object) -> None:
    """The next thing said to it is the pool's ping. Of one that was invalidated nothing is left."""
    if connection is not None:
        connection.answer_seconds = _PING_SECONDS


def _works(connection: BoundedConnection, _record: object, _proxy: object) -> None:
    """It lives: from here on it has the time of any other."""
    vars(connection).pop("answer_seconds", None)

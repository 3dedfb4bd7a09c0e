"""What the records say of the whole: the gauges of `/metrics`. Each query is bounded by what lives now."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from sqlalchemy import Float, and_, case, exists, false, func, not_, or_, select
from sqlalchemy.orm import Session
from sqlalchemy.sql.elements import ColumnElement

from db.models import (
    Deployment,
    Instance,
    LifecycleEvent,
    Measure,
    Notification,
    Observer,
    OperationRow,
    ProviderPlace,
    Pulse,
)
from db.models import Host as HostRow
from db.session import interval
from domain import metrics as m
from domain.lifecycle import IN_PROGRESS
from domain.operations import UNFINISHED, OperationStatus

Sample = tuple[m.Metric, tuple[str, ...], float]
_LIVE_SECONDS = 60
_RATE_SECONDS = 60
_SHARE_SECONDS = 900
_FORGOTTEN_SECONDS = 86_400
"""A worker or host that has been away for so long is no longer waited for."""


def _age(at: ColumnElement[Any]) -> ColumnElement[float]:
    return func.greatest(0, func.extract("epoch", func.clock_timestamp() - at)).cast(Float)


def samples(session: Session) -> list[Sample]:
    """Everything that the records alone can tell."""
    parts: tuple[Callable[[Session], Iterator[Sample]], ...] = (
        _instances,
        _oldest,
        _operations,
        _waiting,
        _observers,
        _pulses,
        _workers,
        _hosts,
        _notifications,
        _rates,
        _shares,
    )
    return [sample for part in parts for sample in part(session)]


def counters(session: Session) -> dict[str, list[tuple[str, float]]]:
    """The folded counters: by name, each with its labels as JSON."""
    found: dict[str, list[tuple[str, float]]] = {}
    for row in session.execute(select(Measure.name, Measure.labels, Measure.value)):
        found.setdefault(row.name, []).append((row.labels, row.value))
    return found


def _instances(session: Session) -> Iterator[Sample]:
    rows = session.execute(
        select(Instance.status, Instance.provider, func.count()).group_by(Instance.status, Instance.provider)
    )
    for status, provider, number in rows:
        yield m.INSTANCES, (status.value, provider), number


def _oldest(session: Session) -> Iterator[Sample]:
    """Since the operation that owns the status began; a row without one counts from its last change.

    Who gave a deployment time-outs of its own is patient until then: that wakes nobody.
    """
    patient = and_(Deployment.timeouts != {}, OperationRow.deadline_at > func.clock_timestamp())
    since = func.coalesce(OperationRow.started_at, OperationRow.created_at, Instance.updated_at)
    host = func.coalesce(Instance.host_id, "")
    rows = session.execute(
        select(Instance.status, Instance.provider, host, func.max(_age(since)))
        .join(Deployment, Deployment.id == Instance.deployment_id)
        .join(OperationRow, OperationRow.id == Instance.operation_id, isouter=True)
        .where(Instance.status.in_(IN_PROGRESS), not_(func.coalesce(patient, false())))
        .group_by(Instance.status, Instance.provider, host)
    )
    for status, provider, where, seconds in rows:
        yield m.OLDEST, (status.value, provider, where), seconds


def _operations(session: Session) -> Iterator[Sample]:
    overdue = func.count().filter(OperationRow.deadline_at < func.clock_timestamp())
    rows = session.execute(
        select(OperationRow.status, OperationRow.kind, OperationRow.provider, func.count(), overdue)
        .where(OperationRow.status.in_(UNFINISHED))
        .group_by(OperationRow.status, OperationRow.kind, OperationRow.provider)
    )
    for status, kind, provider, number, late in rows:
        yield (m.PENDING if status is OperationStatus.PENDING else m.RUNNING), (kind.value, provider), number
        if status is OperationStatus.RUNNING:
            yield m.STUCK, (kind.value, provider), late


def _waiting(session: Session) -> Iterator[Sample]:
    parked = select(OperationRow.provider, func.count()).where(OperationRow.parked_until.is_not(None))
    for provider, number in session.execute(parked.group_by(OperationRow.provider)):
        yield m.PARKED, (provider,), number
    oldest = select(OperationRow.provider, func.max(_age(OperationRow.created_at.expression))).where(
        OperationRow.status == OperationStatus.PENDING
    )
    for provider, seconds in session.execute(oldest.group_by(OperationRow.provider)):
        yield m.PENDING_OLDEST, (provider,), seconds


def _observers(session: Session) -> Iterator[Sample]:
    """A place that was let go of, and where nothing lives, is missed by nobody."""
    of_host = Instance.provider + "/" + func.coalesce(Instance.host_id, "")
    lives = exists().where(or_(Instance.provider == Observer.scope, of_host == Observer.scope))
    rows = session.execute(
        select(
            Observer.scope,
            Observer.streaming,
            Observer.orphans,
            _age(Observer.renewed_at.expression).label("lag"),
            _age(Observer.last_full_at.expression).label("full"),
        ).where(or_(Observer.holder != "", lives))
    )
    for row in rows:
        yield m.OBSERVER_LAG, (row.scope,), row.lag
        yield m.OBSERVER_STREAMING, (row.scope,), float(row.streaming)
        yield m.ORPHANS, (row.scope,), row.orphans
        if row.full is not None:
            yield m.OBSERVER_FULL, (row.scope,), row.full


def _pulses(session: Session) -> Iterator[Sample]:
    newest = session.scalar(select(func.max(LifecycleEvent.seq))) or 0
    yield m.EVENTS, (), newest
    for row in session.execute(select(Pulse.name, Pulse.cursor, _age(Pulse.at.expression).label("age"))):
        if row.name == "keeper":
            yield m.KEEPER_LAG, (), row.age
        elif row.name == "ledger":
            yield m.LEDGER_LAG, (), max(0, newest - row.cursor)


def _workers(session: Session) -> Iterator[Sample]:
    """Both of those that live and of those that fell silent within a day."""
    age = _age(ProviderPlace.checked_at.expression)
    rows = session.execute(
        select(
            ProviderPlace.agent, ProviderPlace.provider, ProviderPlace.configured, ProviderPlace.available, age
        ).where(age < _FORGOTTEN_SECONDS)
    )
    live = set()
    for agent, provider, configured, available, silent in rows:
        yield m.AGENT_SILENT, (agent, provider), silent
        if silent < _LIVE_SECONDS:
            live.add(agent)
            if configured:
                yield m.PROVIDER_UP, (provider, agent), float(available)
    yield m.WORKERS, (), len(live)


def _hosts(session: Session) -> Iterator[Sample]:
    age = _age(HostRow.last_seen_at.expression)
    for name, silent in session.execute(select(HostRow.name, age).where(age < _FORGOTTEN_SECONDS)):
        yield m.HOST_SILENT, (name,), silent


def _notifications(session: Session) -> Iterator[Sample]:
    counted = dict.fromkeys(("pending", "dead"), 0)
    rows = session.execute(
        select(Notification.state, func.count())
        .where(Notification.state != "delivered")
        .group_by(Notification.state)
    )
    for state, number in rows:
        counted[state] = number
    for state, number in counted.items():
        yield m.NOTIFICATIONS, (state,), number
    oldest = session.scalar(
        select(func.max(_age(Notification.created_at.expression))).where(Notification.state == "pending")
    )
    yield m.NOTIFICATION_AGE, (), oldest or 0.0


def _since(seconds: float) -> ColumnElement[bool]:
    return LifecycleEvent.time > func.now() - interval(seconds)


def _rates(session: Session) -> Iterator[Sample]:
    moved = and_(
        LifecycleEvent.to_status.is_not(None),
        LifecycleEvent.from_status.is_distinct_from(LifecycleEvent.to_status),
    )
    number = session.scalar(select(func.count()).where(_since(_RATE_SECONDS), moved)) or 0
    yield m.TRANSITION_RATE, (), number / _RATE_SECONDS


def _shares(session: Session) -> Iterator[Sample]:
    late = LifecycleEvent.data["error"]["code"].astext == "timed-out"
    launch = LifecycleEvent.event_type.like("LAUNCH%")
    rows = session.execute(
        select(launch, OperationRow.provider, func.count(), func.sum(case((late, 1), else_=0)))
        .join(OperationRow, OperationRow.id == LifecycleEvent.operation_id)
        .where(
            _since(_SHARE_SECONDS),
            LifecycleEvent.event_type.in_(
                ["LAUNCH_CONFIRMED", "LAUNCH_FAILED", "TERMINATE_CONFIRMED", "TERMINATE_FAILED"]
            ),
        )
        .group_by(launch, OperationRow.provider)
    )
    for is_launch, provider, ended, timed_out in rows:
        rate = m.LAUNCH_TIMEOUT_RATE if is_launch else m.TERMINATION_TIMEOUT_RATE
        yield rate, (provider,), float(timed_out) / ended


def unread(session: Session, tail: int) -> tuple[int, float]:
    """How many events follow number `tail`, and the age of the oldest of them in seconds."""
    query = select(func.count(), func.max(_age(LifecycleEvent.time.expression))).where(LifecycleEvent.seq > tail)
    number, seconds = session.execute(query).one()
    return number, float(seconds or 0.0)

"""Figures over time for `/admin/stats`: by provider, by step, by hour. Each is bounded by a window or a number."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Float, case, func, select, union_all
from sqlalchemy.orm import Session
from sqlalchemy.sql.elements import ColumnElement

from db.models import Instance, InstanceRun, LifecycleEvent, Notification, OperationRow, Pulse
from domain.operations import OperationStatus

HOURS = 24
_LATEST = 10_000
_SHARES = (0.5, 0.95, 0.99)


def by_provider(session: Session, project: str) -> list[dict[str, Any]]:
    """What lives there, and how long its latest launches and terminations took, in seconds."""
    living = dict(
        session.execute(
            select(Instance.provider, func.count()).where(Instance.project == project).group_by(Instance.provider)
        ).all()
    )
    launches = _percentiles(session, project, "launch_duration_seconds", living_too=True)
    ends = _percentiles(session, project, "termination_duration_seconds", living_too=False)
    nothing = {"count": 0, **{_mark(share): None for share in _SHARES}}
    return [
        {
            "provider": name,
            "instances": living.get(name, 0),
            "launch_seconds": launches.get(name, nothing),
            "termination_seconds": ends.get(name, nothing),
        }
        for name in sorted(set(living) | set(launches) | set(ends))
    ]


def _mark(share: float) -> str:
    return f"p{share * 100:.0f}"


def _percentiles(session: Session, project: str, name: str, *, living_too: bool) -> dict[str, dict[str, Any]]:
    gone = InstanceRun.__table__.c
    parts = [
        select(gone.provider, gone[name].label("seconds"))
        .where(gone.project == project, gone[name].is_not(None))
        .order_by(gone.terminated_at.desc())
        .limit(_LATEST)
        .subquery()
        .select()
    ]
    if living_too:
        lives = Instance.__table__.c
        parts.append(
            select(lives.provider, lives[name].label("seconds"))
            .where(lives.project == project, lives[name].is_not(None))
            .order_by(lives.created_at.desc())
            .limit(_LATEST)
            .subquery()
            .select()
        )
    every = union_all(*parts).subquery()
    marks = [func.percentile_cont(share).within_group(every.c.seconds.cast(Float)) for share in _SHARES]
    rows = session.execute(select(every.c.provider, func.count(), *marks).group_by(every.c.provider))
    return {
        row[0]: {"count": row[1], **{_mark(share): row[2 + i] for i, share in enumerate(_SHARES)}} for row in rows
    }


def failures_by_step(session: Session, project: str) -> list[dict[str, Any]]:
    """Operations that failed in the last day, by the step that failed and the provider."""
    step = func.coalesce(OperationRow.error["step"].astext, OperationRow.kind.cast(OperationRow.id.type))
    rows = session.execute(
        select(step, OperationRow.provider, func.count())
        .where(
            OperationRow.project == project,
            OperationRow.status == OperationStatus.FAILED,
            OperationRow.finished_at > _since(HOURS),
        )
        .group_by(step, OperationRow.provider)
        .order_by(func.count().desc())
    )
    return [{"step": name, "provider": provider, "count": number} for name, provider, number in rows]


def queue(session: Session, project: str) -> dict[str, Any]:
    """How much waits, runs, or needs somebody."""
    now = func.clock_timestamp()
    pending = OperationRow.status == OperationStatus.PENDING
    running = OperationRow.status == OperationStatus.RUNNING
    row = session.execute(
        select(
            func.count().filter(pending).label("pending"),
            func.count().filter(running).label(OperationStatus.RUNNING.value),
            func.count().filter(running, OperationRow.slow_at < now).label("slow"),
            func.count().filter(running, OperationRow.deadline_at < now).label("stuck"),
            func.extract("epoch", now - func.min(case((pending, OperationRow.created_at))))
            .cast(Float)
            .label("oldest_pending_seconds"),
        ).where(OperationRow.project == project, pending | running)
    ).one()
    parked = select(func.count()).where(OperationRow.project == project, OperationRow.parked_until.is_not(None))
    return {**row._mapping, "parked": session.scalar(parked) or 0}


def hourly(session: Session, project: str) -> list[dict[str, Any]]:
    """Launches, terminations, failures and all changes of status in each of the last 24 hours, zeros included."""
    hour = func.date_trunc("hour", LifecycleEvent.time)
    kinds: dict[str, ColumnElement[bool]] = {
        "launches": LifecycleEvent.event_type == "LAUNCH_CONFIRMED",
        "terminations": LifecycleEvent.event_type == "TERMINATE_CONFIRMED",
        "failures": LifecycleEvent.event_type == "OPERATION_FAILED",
        "transitions": LifecycleEvent.from_status.is_distinct_from(LifecycleEvent.to_status),
    }
    counts = [func.count().filter(condition).label(name) for name, condition in kinds.items()]
    rows = session.execute(
        select(hour, *counts)
        .where(LifecycleEvent.project == project, LifecycleEvent.time > _since(HOURS))
        .group_by(hour)
    )
    found = {row[0]: row for row in rows}
    nothing = dict.fromkeys(kinds, 0)
    return [
        {"hour": at, **({name: getattr(found[at], name) for name in kinds} if at in found else nothing)}
        for at in _hours(session)
    ]


def _hours(session: Session) -> list[datetime]:
    last = func.date_trunc("hour", func.now())
    hours = func.generate_series(
        last - func.make_interval(0, 0, 0, 0, HOURS - 1), last, func.make_interval(0, 0, 0, 0, 1)
    ).column_valued("at")
    return list(session.scalars(select(hours)))


def notifications(session: Session) -> dict[str, Any]:
    """How the outbound ones stand, and the last that were given up."""
    counted = dict(
        session.execute(
            select(Notification.state, func.count())
            .where(Notification.state != "delivered")
            .group_by(Notification.state)
        ).all()
    )
    dead = session.scalars(
        select(Notification).where(Notification.state == "dead").order_by(Notification.created_at.desc()).limit(20)
    )
    return {
        "pending": counted.get("pending", 0),
        "dead": counted.get("dead", 0),
        "dead_letters": [
            {
                "id": row.id,
                "type": row.type,
                "attempts": row.attempts,
                "created_at": row.created_at,
                "last_error": row.last_error,
            }
            for row in dead
        ],
    }


def loops(session: Session) -> dict[str, float]:
    """Seconds since each loop's last sign of life."""
    age = func.extract("epoch", func.clock_timestamp() - Pulse.at).cast(Float)
    return {f"{name}_lag_seconds": seconds for name, seconds in session.execute(select(Pulse.name, age))}


def _since(hours: int) -> ColumnElement[Any]:
    return func.now() - func.make_interval(0, 0, 0, 0, hours)

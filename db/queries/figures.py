"""Figures for operators: counts, durations and failures."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Float, func, select
from sqlalchemy.orm import InstrumentedAttribute, Session
from sqlalchemy.sql.elements import ColumnElement

from db.models import Deployment, Host, Instance, InstanceRun, LifecycleEvent, OperationRow
from domain.operations import OperationStatus

_SHARES = (0.5, 0.95, 0.99)
_LATEST = 10_000


def by_column(session: Session, project: str, column: InstrumentedAttribute[Any]) -> dict[str, int]:
    """How many live instances have each value of `column`."""
    rows = session.execute(select(column, func.count()).where(Instance.project == project).group_by(column))
    return {str(value): number for value, number in rows}


def failures(session: Session, project: str) -> list[dict[str, Any]]:
    """Operations that failed in the last day, by kind, provider and code."""
    code = OperationRow.error["code"].astext
    rows = session.execute(
        select(OperationRow.kind, OperationRow.provider, code, func.count())
        .where(
            OperationRow.project == project,
            OperationRow.status == OperationStatus.FAILED,
            OperationRow.created_at > func.now() - func.make_interval(0, 0, 0, 1),
        )
        .group_by(OperationRow.kind, OperationRow.provider, code)
        .order_by(func.count().desc())
    )
    return [{"kind": k.value, "provider": p, "code": c, "count": n} for k, p, c, n in rows]


def durations(session: Session, project: str) -> dict[str, dict[str, float | None]]:
    """p50, p95 and p99 of the latest launches (of the living and the gone) and terminations, in seconds."""
    living = (
        select(Instance.launch_duration_seconds.label("seconds"))
        .where(Instance.project == project)
        .order_by(Instance.created_at.desc())
        .limit(_LATEST)
        .subquery()
    )
    gone = (
        select(InstanceRun.launch_duration_seconds, InstanceRun.termination_duration_seconds)
        .where(InstanceRun.project == project)
        .order_by(InstanceRun.terminated_at.desc())
        .limit(_LATEST)
        .subquery()
    )
    launches = select(living.c.seconds).union_all(select(gone.c.launch_duration_seconds)).subquery()
    return {
        "launch_seconds": _percentiles(session, launches.c.seconds),
        "termination_seconds": _percentiles(session, gone.c.termination_duration_seconds),
    }


def _percentiles(session: Session, column: ColumnElement[Any]) -> dict[str, float | None]:
    marks = [func.percentile_cont(share).within_group(column.cast(Float)) for share in _SHARES]
    row = session.execute(select(*marks)).one()
    return {f"p{share * 100:.0f}": value for share, value in zip(_SHARES, row, strict=True)}


def totals(session: Session, project: str) -> dict[str, int]:
    """How much there is."""
    counted = {
        "instances": select(func.count()).select_from(Instance).where(Instance.project == project),
        "deployments": select(func.count()).select_from(Deployment).where(Deployment.project == project),
        "operations": select(func.count()).select_from(OperationRow).where(OperationRow.project == project),
        "runs": select(func.count()).select_from(InstanceRun).where(InstanceRun.project == project),
        "events": select(func.coalesce(func.max(LifecycleEvent.seq), 0)),
        "hosts": select(func.count()).select_from(Host),
    }
    return {name: session.scalar(query) or 0 for name, query in counted.items()}


def hosts(session: Session) -> list[dict[str, Any]]:
    """Every host, with the number of its instances and how long ago it was seen."""
    held = select(Instance.host_id, func.count().label("instances")).group_by(Instance.host_id).subquery()
    rows = session.execute(
        select(
            *Host.__table__.columns,
            func.coalesce(held.c.instances, 0).label("instances"),
            func.extract("epoch", func.now() - Host.last_seen_at).cast(Float).label("unseen_seconds"),
        )
        .join(held, held.c.host_id == Host.id, isouter=True)
        .order_by(Host.name)
    )
    return [dict(row._mapping) for row in rows]

"""Reads of the one feed, in commit order, and of an instance's history, newest first."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from db.models import Instance, InstanceRun, LifecycleEvent, Meta
from db.queries.pages import Record

_COLUMNS = tuple(LifecycleEvent.__table__.columns)


@dataclass(frozen=True)
class EventFilter:
    """Which events."""

    project: str
    instance_id: str | None = None
    deployment_id: str | None = None
    operation_id: str | None = None
    event_type: str | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        """As SQL."""
        conditions: list[ColumnElement[bool]] = [LifecycleEvent.project == self.project]
        for column, value in (
            (LifecycleEvent.instance_id, self.instance_id),
            (LifecycleEvent.deployment_id, self.deployment_id),
            (LifecycleEvent.operation_id, self.operation_id),
            (LifecycleEvent.event_type, self.event_type),
        ):
            if value is not None:
                conditions.append(column == value)
        return conditions


def epoch(session: Session) -> str:
    """The life of this numbering; a restore begins another."""
    return session.scalar(select(Meta.value).where(Meta.key == "epoch")) or ""


def bounds(session: Session) -> tuple[int, int]:
    """The lowest and the highest number that exist; (0, 0) when there are none."""
    row = session.execute(select(func.min(LifecycleEvent.seq), func.max(LifecycleEvent.seq))).one()
    return row[0] or 0, row[1] or 0


def after(session: Session, wanted: EventFilter, seq: int, limit: int) -> Sequence[Record]:
    """The events that follow `seq`, oldest first."""
    query = select(*_COLUMNS).where(*wanted.conditions(), LifecycleEvent.seq > seq)
    return session.execute(query.order_by(LifecycleEvent.seq).limit(limit)).all()


def number_before(session: Session, since: datetime) -> int:
    """The number in front of the first event of `since` or later; the highest when nothing has happened since."""
    recent = select(LifecycleEvent.seq).where(LifecycleEvent.time >= since).cte().prefix_with("materialized")
    first: int | None = session.scalar(select(func.min(recent.c.seq)))
    return bounds(session)[1] if first is None else first - 1


def of_all(session: Session, seq: int, limit: int) -> Sequence[Record]:
    """The events of every project that follow `seq`, oldest first: for the one reader of a process."""
    query = select(*_COLUMNS).where(LifecycleEvent.seq > seq)
    return session.execute(query.order_by(LifecycleEvent.seq).limit(limit)).all()


def lives(session: Session, project: str, key: str) -> list[str]:
    """The instance ids behind an id or a name: all lives of a name, the present one included."""
    if key.startswith("ins_"):
        living = select(Instance.id).where(Instance.project == project, Instance.id == key)
        gone = select(InstanceRun.instance_id).where(
            InstanceRun.project == project, InstanceRun.instance_id == key
        )
    else:
        living = select(Instance.id).where(Instance.project == project, Instance.name == key)
        gone = select(InstanceRun.instance_id).where(InstanceRun.project == project, InstanceRun.name == key)
    return list(session.scalars(living.union(gone)))


def history(
    session: Session, instance_ids: Collection[str], before: int | None, size: int
) -> tuple[Sequence[Record], int | None]:
    """Events of some instances before number `before`, newest first, and where the next page starts."""
    query = select(*_COLUMNS).where(LifecycleEvent.instance_id.in_(instance_ids))
    if before is not None:
        query = query.where(LifecycleEvent.seq < before)
    rows = session.execute(query.order_by(LifecycleEvent.seq.desc()).limit(size + 1)).all()
    if len(rows) <= size:
        return rows, None
    return rows[:size], rows[size - 1].seq


def latest(session: Session, wanted: EventFilter, limit: int) -> Sequence[Record]:
    """The last events there are, oldest first."""
    query = select(*_COLUMNS).where(*wanted.conditions())
    return session.execute(query.order_by(LifecycleEvent.seq.desc()).limit(limit)).all()[::-1]

"""Reads of the one feed, in commit order, and of an instance's history, newest first."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, func, literal, null, or_, select
from sqlalchemy.orm import Session

from db.models import Instance, InstanceRun, LifecycleEvent, Meta
from db.queries.pages import Record

_COLUMNS = tuple(LifecycleEvent.__table__.columns)
_OF_DEPLOYMENT = (
    "HOLD_PLACED",
    "HOLD_LIFTED",
    "SUBSCRIPTION_CHANGED",
    "BILLING_REFUSED",
    "DEADLINE_REFUSED",
)
"""Events of a whole deployment, about no instance of it, that each of its instances has lived through."""


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
    """Events of some instances before number `before`, newest first, and where the next page starts.

    With what happened to their whole deployments while they lived.
    """
    own = _page(session, [LifecycleEvent.instance_id.in_(instance_ids)], before, size)
    if not own:
        return own, None
    # No older than the oldest of their own: so this never reads more of a deployment than one page takes.
    shared = [LifecycleEvent.seq > own[-1].seq, *_lived_through(session, instance_ids)]
    rows = sorted([*own, *_page(session, shared, before, size)], key=lambda row: row.seq, reverse=True)
    if len(rows) <= size:
        return rows, None
    return rows[:size], rows[size - 1].seq


def _page(
    session: Session, conditions: Collection[ColumnElement[bool]], before: int | None, size: int
) -> Sequence[Record]:
    """One more than asked for: whether anything follows."""
    query = select(*_COLUMNS).where(*conditions)
    if before is not None:
        query = query.where(LifecycleEvent.seq < before)
    return session.execute(query.order_by(LifecycleEvent.seq.desc()).limit(size + 1)).all()


def _lived_through(session: Session, instance_ids: Collection[str]) -> list[ColumnElement[bool]]:
    """What tells the events of whole deployments that fall into these lives."""
    living = select(Instance.deployment_id, Instance.created_at, null().label("end")).where(
        Instance.id.in_(instance_ids)
    )
    gone = select(InstanceRun.deployment_id, InstanceRun.created_at, InstanceRun.terminated_at).where(
        InstanceRun.instance_id.in_(instance_ids)
    )
    lives = session.execute(living.union_all(gone)).all()
    return [
        LifecycleEvent.deployment_id.in_({life.deployment_id for life in lives}),
        LifecycleEvent.instance_id.is_(None),
        LifecycleEvent.event_type.in_(_OF_DEPLOYMENT),
        or_(
            *(
                and_(
                    LifecycleEvent.deployment_id == life.deployment_id,
                    LifecycleEvent.time >= life.created_at,
                    LifecycleEvent.time <= life.end if life.end is not None else literal(True),
                )
                for life in lives
            ),
            literal(False),
        ),
    ]


def latest(session: Session, wanted: EventFilter, limit: int) -> Sequence[Record]:
    """The last events there are, oldest first."""
    query = select(*_COLUMNS).where(*wanted.conditions())
    return session.execute(query.order_by(LifecycleEvent.seq.desc()).limit(limit)).all()[::-1]

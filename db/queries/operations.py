"""Reads of operations: a page with those that need somebody first, one, holders, steps, usual durations."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import Session

from db.models import Instance, InstanceRun, OperationInstance, OperationRow, OperationStep
from db.queries.pages import Keyset, Position, Record, like_pattern
from domain.lifecycle import Operation
from domain.operations import UNFINISHED, OperationStatus

_KEYSET = Keyset(OperationRow.created_at, OperationRow.id)
_HIDDEN = {"plan", "idempotency_scope", "idempotency_key", "idempotency_fingerprint", "namespace_id"}
_COLUMNS = tuple(c for c in OperationRow.__table__.columns if c.name not in _HIDDEN)


@dataclass(frozen=True)
class OperationFilter:
    """What a list shows."""

    project: str
    statuses: tuple[OperationStatus, ...] = ()
    kind: Operation | None = None
    deployment: str | None = None
    instance: str | None = None
    blueprint: str | None = None
    provider: str | None = None
    needs_you: bool | None = None
    text: str | None = None
    """Part of its id, a name, who asked, or its error."""
    since: datetime | None = None
    actor: str | None = None

    def scope(self) -> list[ColumnElement[bool]]:
        """The conditions without the status part, for the counts."""
        conditions: list[ColumnElement[bool]] = [OperationRow.project == self.project]
        if self.kind is not None:
            conditions.append(OperationRow.kind == self.kind)
        if self.deployment is not None:
            by_id = self.deployment.startswith("dep_")
            column = OperationRow.deployment_id if by_id else OperationRow.deployment_name
            conditions.append(column == self.deployment)
        if self.instance is not None:
            conditions.append(OperationRow.instance_ids.contains([self.instance]))
        if self.blueprint is not None:
            conditions.append(OperationRow.blueprint == self.blueprint)
        if self.provider is not None:
            conditions.append(OperationRow.provider == self.provider)
        if self.since is not None:
            conditions.append(OperationRow.created_at >= self.since)
        if self.actor is not None:
            conditions.append(OperationRow.actor == self.actor)
        if self.text is not None:
            conditions.append(_mentions(self.text))
        return conditions

    def scope_key(self) -> str:
        """The same for all filters that differ in their status part only."""
        return repr(replace(self, statuses=(), needs_you=None))

    def conditions(self) -> list[ColumnElement[bool]]:
        """All but `needs_you`, which depends on the time."""
        conditions = self.scope()
        if self.statuses:
            conditions.append(OperationRow.status.in_(self.statuses))
        return conditions


def _mentions(text: str) -> ColumnElement[bool]:
    pattern = like_pattern(text)
    error = OperationRow.error["message"].astext
    texts = (OperationRow.deployment_name, OperationRow.id, OperationRow.actor, error)
    touched = select(OperationInstance.operation_id).where(
        OperationInstance.operation_id == OperationRow.id,
        OperationInstance.instance_name.ilike(pattern, escape="\\"),
    )
    return or_(*(column.ilike(pattern, escape="\\") for column in texts), touched.exists())


@dataclass(frozen=True)
class Place:
    """Where a list of operations goes on: first through those that need somebody at `at`, then the rest."""

    at: datetime
    urgent: bool = True
    after: Position | None = None


def needs_you(at: datetime) -> ColumnElement[bool]:
    """Overdue, or failed and listening for a retry."""
    overdue = and_(OperationRow.status.in_(UNFINISHED), OperationRow.deadline_at < at)
    return or_(overdue, and_(OperationRow.parked_until.is_not(None), OperationRow.parked_until > at))


def page(
    session: Session, wanted: OperationFilter, place: Place, size: int
) -> tuple[Sequence[Record], Place | None]:
    """One page: those that need somebody first, newest first within each part."""
    query = select(*_COLUMNS).where(*wanted.conditions())
    rows: list[Record] = []
    if place.urgent and wanted.needs_you is not False:
        found, position = _KEYSET.page(session, query.where(needs_you(place.at)), place.after, size)
        rows += found
        if position is not None:
            return rows, replace(place, after=position)
        place = Place(place.at, urgent=False)
    if wanted.needs_you or len(rows) == size:
        return rows, None if wanted.needs_you else replace(place, urgent=False)
    calm = query.where(func.coalesce(~needs_you(place.at), True))
    found, position = _KEYSET.page(session, calm, place.after, size - len(rows))
    return [*rows, *found], Place(place.at, urgent=False, after=position) if position else None


def counts(session: Session, wanted: OperationFilter, at: datetime) -> dict[str, int]:
    """How many have each status, zeros included, and how many need somebody."""
    conditions = wanted.scope()
    rows = session.execute(
        select(OperationRow.status, func.count()).where(*conditions).group_by(OperationRow.status)
    )
    found = {status.value: number for status, number in rows}
    urgent = session.scalar(select(func.count()).select_from(OperationRow).where(*conditions, needs_you(at)))
    return {**{status.value: 0 for status in OperationStatus}, **found, "needs_you": urgent or 0}


def find(session: Session, project: str, operation_id: str) -> Record | None:
    """One operation."""
    return session.execute(
        select(*_COLUMNS).where(OperationRow.project == project, OperationRow.id == operation_id)
    ).one_or_none()


def by_ids(session: Session, operation_ids: Collection[str]) -> dict[str, Record]:
    """Some operations, by id."""
    if not operation_ids:
        return {}
    rows = session.execute(select(*_COLUMNS).where(OperationRow.id.in_(operation_ids)))
    return {row.id: row for row in rows}


def unfinished(session: Session, limit: int) -> dict[str, Record]:
    """What is under way in every project, the latest first: for the one reader of a process."""
    rows = session.execute(
        select(*_COLUMNS)
        .where(OperationRow.status.in_(UNFINISHED))
        .order_by(OperationRow.created_at.desc())
        .limit(limit)
    )
    return {row.id: row for row in rows}


def holders(session: Session, deployment_ids: Collection[str]) -> dict[str, Record]:
    """The unfinished operation of each deployment: the holder, else one that was pre-empted and still runs."""
    if not deployment_ids:
        return {}
    rows = session.execute(
        select(*_COLUMNS)
        .where(OperationRow.deployment_id.in_(deployment_ids), OperationRow.status.in_(UNFINISHED))
        .order_by(OperationRow.pre_empted_by.is_(None), OperationRow.created_at)
    )
    return {row.deployment_id: row for row in rows}


def steps(session: Session, operation_ids: Collection[str]) -> dict[str, list[Record]]:
    """The steps of some operations, in order."""
    found: dict[str, list[Record]] = {}
    if operation_ids:
        rows = session.execute(
            select(*OperationStep.__table__.columns)
            .where(OperationStep.operation_id.in_(operation_ids))
            .order_by(OperationStep.operation_id, OperationStep.position)
        )
        for row in rows:
            found.setdefault(row.operation_id, []).append(row)
    return found


_STATE = tuple(c for c in OperationStep.__table__.columns if c.name not in {"attempts", "name"})


def step_states(session: Session, operation_ids: Collection[str]) -> dict[str, list[Record]]:
    """How far the steps of some operations are, in order, without their attempts."""
    found: dict[str, list[Record]] = {}
    if operation_ids:
        rows = session.execute(
            select(*_STATE)
            .where(OperationStep.operation_id.in_(operation_ids))
            .order_by(OperationStep.operation_id, OperationStep.position)
        )
        for row in rows:
            found.setdefault(row.operation_id, []).append(row)
    return found


def names(session: Session, operation_ids: Collection[str]) -> dict[str, list[str]]:
    """The names of the instances that each operation touches."""
    found: dict[str, list[str]] = {}
    if operation_ids:
        rows = session.execute(
            select(OperationInstance.operation_id, OperationInstance.instance_name)
            .where(OperationInstance.operation_id.in_(operation_ids))
            .order_by(OperationInstance.instance_name)
        )
        for row in rows:
            found.setdefault(row.operation_id, []).append(row.instance_name)
    return found


def instance_id_of(session: Session, project: str, key: str) -> str | None:
    """The id behind a name, of the living first, else of the last that lived."""
    living = session.scalar(select(Instance.id).where(Instance.project == project, Instance.name == key))
    return living or session.scalar(
        select(InstanceRun.instance_id)
        .where(InstanceRun.project == project, InstanceRun.name == key)
        .order_by(InstanceRun.terminated_at.desc())
        .limit(1)
    )


def latest_durations(
    session: Session, kind: Operation, blueprint: str, provider: str, limit: int = 100
) -> list[tuple[str, float]]:
    """(id, seconds) of the newest operations of this kind that succeeded."""
    query = select(OperationRow.id, OperationRow.created_at, OperationRow.finished_at).where(
        OperationRow.kind == kind,
        OperationRow.blueprint == blueprint,
        OperationRow.provider == provider,
        OperationRow.status == OperationStatus.SUCCEEDED,
        OperationRow.changed,
        OperationRow.finished_at.is_not(None),
    )
    rows = session.execute(query.order_by(OperationRow.finished_at.desc()).limit(limit))
    return [(row.id, (row.finished_at - row.created_at).total_seconds()) for row in rows if row.finished_at]

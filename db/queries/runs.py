"""Reads of finished lives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.models import InstanceRun
from db.queries.pages import Keyset, Position, Record, like_pattern

_KEYSET = Keyset(InstanceRun.terminated_at, InstanceRun.run_id)
_COLUMNS = tuple(InstanceRun.__table__.columns)


@dataclass(frozen=True)
class RunFilter:
    """Which lives."""

    project: str
    name: str | None = None
    name_part: str | None = None
    instance_id: str | None = None
    deployment_id: str | None = None
    blueprint: str | None = None
    provider: str | None = None


def page(
    session: Session, wanted: RunFilter, after: Position | None, size: int
) -> tuple[Sequence[Record], Position | None]:
    """One page, the latest end first."""
    query = select(*_COLUMNS).where(InstanceRun.project == wanted.project)
    for column, value in (
        (InstanceRun.name, wanted.name),
        (InstanceRun.instance_id, wanted.instance_id),
        (InstanceRun.deployment_id, wanted.deployment_id),
        (InstanceRun.blueprint, wanted.blueprint),
        (InstanceRun.provider, wanted.provider),
    ):
        if value is not None:
            query = query.where(column == value)
    if wanted.name_part is not None:
        query = query.where(InstanceRun.name.like(like_pattern(wanted.name_part), escape="\\"))
    return _KEYSET.page(session, query, after, size)


def find(session: Session, project: str, key: str) -> Record | None:
    """One life by its own id or the instance's."""
    column = InstanceRun.instance_id if key.startswith("ins_") else InstanceRun.run_id
    return session.execute(select(*_COLUMNS).where(InstanceRun.project == project, column == key)).one_or_none()

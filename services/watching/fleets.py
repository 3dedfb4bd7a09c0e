"""The rows of one scope, as an observer compares them with a listing: few columns, of thousands of instances."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import or_, select

from db.models import Instance
from db.session import Tx
from domain.glimpses import Known
from domain.lifecycle import IN_PROGRESS
from services.watching.looks import is_busy
from services.watching.observers import of_spot
from services.watching.orphans import Spot

_OVERLAP = timedelta(seconds=10)
"""A row is stamped before its transaction commits: so much later it can still appear."""
_COLUMNS = (
    Instance.id,
    Instance.status,
    Instance.error_origin,
    is_busy().label("busy"),
    Instance.version,
    Instance.health,
    Instance.drift,
    Instance.object_generation,
    Instance.cloud_instance_id,
)


@dataclass(frozen=True)
class Rows:
    """What was read, and as of when."""

    known: list[Known]
    at: datetime
    whole: bool


def read_rows(tx: Tx, spot: Spot, since: datetime | None, again: Collection[str] = ()) -> Rows:
    """All of a scope; or those that were written since, and those named."""
    at: datetime = tx.run(select(tx.now)).scalar_one()
    where = [of_spot(spot)]
    if since is not None:
        where.append(or_(Instance.updated_at > since - _OVERLAP, Instance.id.in_(again)))
    rows: Iterable[Any] = tx.run(select(*_COLUMNS).where(*where))
    known = [Known(r[0], r[1], r[2], r[3] or r[1] in IN_PROGRESS, r[4], r[5], r[6], r[7], r[8]) for r in rows]
    return Rows(known, at, whole=since is None)


def projects_of(tx: Tx, spot: Spot) -> list[str]:
    """Whose instances a scope holds."""
    return list(tx.run(select(Instance.project).where(of_spot(spot)).distinct()).scalars())

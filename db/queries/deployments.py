"""Reads of deployments: a page, and one by id or name."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from db.models import BillingRecord, Deployment, Host
from db.queries.pages import Keyset, Position, Record, like_pattern

_KEYSET = Keyset(Deployment.created_at, Deployment.id)


def _records() -> Select[tuple[object, ...]]:
    billing = (BillingRecord.subscription, BillingRecord.alert.label("billing_alert"))
    return (
        select(*Deployment.__table__.columns, Host.name.label("host_name"), *billing)
        .join(Host, Host.id == Deployment.host_id, isouter=True)
        .join(BillingRecord, BillingRecord.deployment_id == Deployment.id, isouter=True)
    )


def page(
    session: Session, project: str, name_part: str | None, after: Position | None, size: int
) -> tuple[Sequence[Record], Position | None]:
    """One page, newest first."""
    query = _records().where(Deployment.project == project)
    if name_part is not None:
        query = query.where(Deployment.name.like(like_pattern(name_part), escape="\\"))
    return _KEYSET.page(session, query, after, size)


def find(session: Session, project: str, key: str) -> Record | None:
    """One living deployment by id or name."""
    column = Deployment.id if key.startswith("dep_") else Deployment.name
    return session.execute(_records().where(Deployment.project == project, column == key)).one_or_none()

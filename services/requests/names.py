"""Names are unique per project among the living: asked before a create, a scale-out, and by their plans."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.models import Deployment, Instance


def taken_member(session: Session, project: str, names: Collection[str]) -> str | None:
    """The first of `names` that an instance has."""
    return session.scalar(
        select(Instance.name)
        .where(Instance.project == project, Instance.name.in_(names))
        .order_by(Instance.name)
        .limit(1)
    )


def taken_deployment(session: Session, project: str, name: str) -> str | None:
    """`name`, where a deployment has it."""
    return session.scalar(select(Deployment.name).where(Deployment.project == project, Deployment.name == name))

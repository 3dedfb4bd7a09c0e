"""Reads of the audit trail, newest first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from db.models import AuditEntry
from db.queries.pages import Keyset, Position, Record

_KEYSET = Keyset(AuditEntry.time, AuditEntry.id)


@dataclass(frozen=True)
class AuditFilter:
    """Which entries."""

    actor: str | None = None
    action: str | None = None
    outcome: str | None = None
    project: str | None = None
    since: datetime | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        """As SQL."""
        conditions: list[ColumnElement[bool]] = [
            column == value
            for column, value in (
                (AuditEntry.actor, self.actor),
                (AuditEntry.action, self.action),
                (AuditEntry.outcome, self.outcome),
                (AuditEntry.project, self.project),
            )
            if value is not None
        ]
        return conditions if self.since is None else [*conditions, AuditEntry.time >= self.since]


def page(
    session: Session, wanted: AuditFilter, after: Position | None, size: int
) -> tuple[Sequence[Record], Position | None]:
    """One page."""
    query = select(*AuditEntry.__table__.columns).where(*wanted.conditions())
    return _KEYSET.page(session, query, after, size)

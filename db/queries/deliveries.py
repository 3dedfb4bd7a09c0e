"""Reads of what billing delivered."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.models import WebhookDelivery
from db.queries.pages import Keyset, Position, Record
from domain.billing import Verdict

_KEYSET = Keyset(WebhookDelivery.received_at, WebhookDelivery.id)


def page(
    session: Session, verdict: Verdict | None, after: Position | None, size: int
) -> tuple[Sequence[Record], Position | None]:
    """One page, newest first."""
    query = select(*WebhookDelivery.__table__.columns)
    if verdict is not None:
        query = query.where(WebhookDelivery.verdict == verdict)
    return _KEYSET.page(session, query, after, size)

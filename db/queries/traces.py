"""Reads of traces."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.models import OperationRow, SpanRow

_MOST = 2000


def traceparent_of(session: Session, project: str, operation_id: str) -> tuple[str | None] | None:
    """The stored trace of an operation of the project, in a tuple; None where there is no such operation."""
    row = session.execute(
        select(OperationRow.traceparent).where(OperationRow.project == project, OperationRow.id == operation_id)
    ).one_or_none()
    return None if row is None else (row.traceparent,)


def spans_of(session: Session, trace_id: str) -> Sequence[SpanRow]:
    """What is kept of a trace, oldest first."""
    query = select(SpanRow).where(SpanRow.trace_id == trace_id)
    return session.scalars(query.order_by(SpanRow.started_at, SpanRow.span_id).limit(_MOST)).all()

"""The trace of an operation, from the request to the provider's calls, without any collector."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Response

from api.access import needs
from api.answers import ok
from api.dependencies import CallerDep, PartsDep
from api.schemas.traces import Trace
from db.models import SpanRow
from db.queries.traces import spans_of, traceparent_of
from domain.access import Right
from domain.errors import NotFound
from services.views.common import iso
from system.tracing import ids_in

router = APIRouter(tags=["operations"])


@router.get(
    "/operations/{operation_id}/trace",
    operation_id="operations_trace",
    response_model=Trace,
    dependencies=[needs(Right.READ)],
)
def trace(parts: PartsDep, caller: CallerDep, operation_id: str) -> Response:
    """Every span that is kept, oldest first; none for an operation that nobody asked for through the API."""
    with parts.database.read() as session:
        found = traceparent_of(session, caller.project, operation_id)
        if found is None:
            raise NotFound("operation", operation_id)
        trace_id, request = ids_in(found[0])
        rows = _of_request(spans_of(session, trace_id), request) if trace_id else []
    begun = min((row.started_at for row in rows), default=None)
    spans: list[dict[str, Any]] = [
        {
            "span_id": row.span_id,
            "parent_id": row.parent_id,
            "name": row.name,
            "service": row.service,
            "started_at": iso(row.started_at),
            "offset_ms": round((row.started_at - begun).total_seconds() * 1000, 3) if begun else 0.0,
            "ms": round(row.seconds * 1000, 3),
            "ok": row.ok,
            "attributes": row.attributes,
        }
        for row in rows
    ]
    return ok({"operation_id": operation_id, "trace_id": trace_id, "spans": spans})


def _of_request(rows: Sequence[SpanRow], request: str | None) -> list[SpanRow]:
    """The request's own span and all below it: the trace's id is what clients say, whoever they are.

    What is below a span that has not ended yet is shown with it.
    """
    parents = {row.span_id: row.parent_id for row in rows}

    def belongs(span_id: str | None) -> bool:
        for _ in range(len(rows) + 1):
            if span_id is None or span_id == request:
                break
            span_id = parents.get(span_id)
        return span_id == request

    return [row for row in rows if belongs(row.span_id)]

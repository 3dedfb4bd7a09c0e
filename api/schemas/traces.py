"""The form of a trace."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from api.schemas.base import Form


class Span(Form):
    """One part of the work, and below which other it stands."""

    span_id: str
    parent_id: str | None
    name: str
    service: str
    started_at: str
    offset_ms: float = Field(description="Since the beginning of the trace.")
    ms: float
    ok: bool
    attributes: dict[str, Any]


class Trace(Form):
    """What is kept of the work for one operation; spans go after some days."""

    operation_id: str
    trace_id: str | None
    spans: list[Span]

"""Figures over time, as `/admin/stats` gives them: for the interface's plots and for `berth stats`."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from db.queries import statistics
from services.views.common import JsonObject, iso


def statistics_form(session: Session, project: str) -> JsonObject:
    """By provider, by step, by hour; what waits; the loops and the notifications."""
    form: JsonObject = {
        "providers": statistics.by_provider(session, project),
        "failures_by_step": statistics.failures_by_step(session, project),
        "queue": statistics.queue(session, project),
        "hourly": statistics.hourly(session, project),
        "notifications": statistics.notifications(session),
        "loops": statistics.loops(session),
    }
    return {name: _told(value) for name, value in form.items()}


def _told(value: Any) -> Any:
    """Times in the form that all answers have."""
    if isinstance(value, dict):
        return {key: _told(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_told(inner) for inner in value]
    return iso(value) if isinstance(value, datetime) else value

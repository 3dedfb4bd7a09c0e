"""Events and finished lives."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import Field

from api.schemas.base import Form


class Event(Form):
    """One entry of the feed."""

    cursor: str
    event_type: str
    instance_id: str | None
    deployment_id: str
    operation_id: str | None
    version: int | None
    status: str | None
    lifecycle_state: str | None
    from_: str | None = Field(None, alias="from")
    to: str | None
    source: str
    reason: str | None
    confirmation_method: str | None
    actor: str
    cloud_instance_id: str | None
    time: datetime
    data: dict[str, Any]


class EventList(Form):
    """News after a cursor."""

    items: list[Event]
    next: str
    snapshot_required: bool


class History(Form):
    """An instance's events, newest first. `events` is `items` under its older name."""

    items: list[Event]
    events: list[Event]
    next_page_token: str | None = None


class Run(Form):
    """A finished life."""

    run_id: str
    instance_id: str
    name: str
    deployment_id: str
    blueprint: str
    provider: str
    cloud_instance_id: str | None
    instance_type: str | None
    availability_zone: str | None
    created_at: datetime
    launched_at: datetime | None
    terminated_at: datetime
    termination_confirmed_at: datetime | None
    launch_duration_seconds: float | None
    termination_duration_seconds: float | None
    total_runtime_seconds: float | None
    termination_reason: str | None
    confirmation_method: str | None


class RunList(Form):
    """A page."""

    items: list[Run]
    next_page_token: str | None = None

"""Events and finished lives as programs outside see them, and the cursor of the feed."""

from __future__ import annotations

import base64
from typing import Any

from sqlalchemy import Row

from services.views.common import JsonObject, iso, lifecycle_state


def cursor(epoch: str, seq: int) -> str:
    """Opaque to programs: the numbering's life and the number."""
    return base64.urlsafe_b64encode(f"{epoch}.{seq}".encode()).decode().rstrip("=")


def number(epoch: str, text: str) -> int | None:
    """The number behind a cursor of this epoch; None for another epoch or what is no cursor."""
    try:
        named, _, seq = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode().partition(".")
    except ValueError:
        return None
    if named != epoch or not (seq.isascii() and seq.isdigit() and len(seq) <= 18):
        return None
    return int(seq)


def event_form(row: Row[Any], epoch: str) -> JsonObject:
    """One entry."""
    return {
        "cursor": cursor(epoch, row.seq),
        "event_type": row.event_type,
        "instance_id": row.instance_id,
        "deployment_id": row.deployment_id,
        "operation_id": row.operation_id,
        "version": row.version,
        "status": row.status,
        "lifecycle_state": lifecycle_state(row.status) if row.instance_id else None,
        "from": row.from_status,
        "to": row.to_status,
        "source": row.source,
        "reason": row.reason,
        "confirmation_method": row.confirmation_method,
        "actor": row.actor,
        "cloud_instance_id": row.cloud_instance_id,
        "time": iso(row.time),
        "data": row.data,
    }


_RETOLD = {
    "LAUNCH_PLANNED": ("INSTANCE_LAUNCHING", ("launch_requested_at",)),
    "LAUNCH_CONFIRMED": ("INSTANCE_RUNNING", ("launch_confirmed_at", "launch_duration_seconds")),
    "TERMINATE_PLANNED": ("INSTANCE_TERMINATING", ("termination_requested_at",)),
    "TERMINATE_CONFIRMED": ("INSTANCE_TERMINATED", ("termination_confirmed_at", "termination_duration_seconds")),
}


def retold_form(row: Row[Any], epoch: str) -> JsonObject | None:
    """S2's form of the turns of a life, for sockets: its names, its upper-case status, its times."""
    if row.event_type not in _RETOLD:
        return None
    name, fields = _RETOLD[row.event_type]
    return {
        "event_type": name,
        "cursor": cursor(epoch, row.seq),
        "instance_id": row.instance_id,
        "cloud_instance_id": row.cloud_instance_id,
        "version": row.version,
        "status": lifecycle_state(row.to_status or row.status),
        "timestamp": iso(row.time),
        **{field: row.data.get(field) for field in fields},
    }


def run_form(row: Row[Any]) -> JsonObject:
    """A finished life."""
    times = ("created_at", "launched_at", "terminated_at", "termination_confirmed_at")
    return {**row._mapping, **{name: iso(getattr(row, name)) for name in times}}

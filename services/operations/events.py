"""The event of one change of one instance, in the one form that the log has."""

from __future__ import annotations

from typing import Any

from db.models import OperationRow
from db.session import Tx
from domain.operations import OPERATION_DETAILS
from services.views.common import iso


def launch_times(row: Any) -> dict[str, Any]:
    """What the event of a confirmed launch says of its end."""
    return {
        "launch_confirmed_at": iso(row.launch_confirmed_at),
        "launch_duration_seconds": row.launch_duration_seconds,
    }


def termination_times(row: Any) -> dict[str, Any]:
    """What the event of a finished life says of its end."""
    return {
        "termination_confirmed_at": iso(row.termination_confirmed_at),
        "termination_duration_seconds": row.termination_duration_seconds,
    }


def request_times(row: Any) -> dict[str, Any]:
    """What the event of a planned launch or termination says of its beginning."""
    return {
        "launch_requested_at": iso(row.launch_requested_at),
        "termination_requested_at": iso(row.termination_requested_at),
    }


def instance_event(
    tx: Tx,
    operation: OperationRow,
    instance_id: str | None,
    what: str,
    *,
    version: int | None = None,
    change: tuple[str | None, str | None] = (None, None),
    **more: Any,
) -> None:
    """Emit `<EVENT OF THE OPERATION>_<what>`; `change` is (from, to), `more` fills single columns."""
    data = more.pop("data", {})
    source = more.pop("source", operation.source)
    event = more.pop("event", None) or OPERATION_DETAILS[operation.kind].event
    tx.emit(
        **{
            "project": operation.project,
            "event_type": f"{event}_{what}",
            "instance_id": instance_id,
            "deployment_id": operation.deployment_id,
            "operation_id": operation.id,
            "version": version,
            "status": change[1],
            "from_status": change[0],
            "to_status": change[1],
            "source": source,
            "reason": operation.reason,
            "confirmation_method": None,
            "actor": operation.actor,
            "cloud_instance_id": None,
            "data": data,
        }
        | more
    )

"""The event of one change of one instance, in the one form that the log has."""

from __future__ import annotations

from typing import Any

from db.models import OperationRow
from db.session import Tx
from domain.operations import OPERATION_DETAILS


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

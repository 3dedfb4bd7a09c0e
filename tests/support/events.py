"""An event as the monitor writes it, for tests of what the feed does with many."""

from __future__ import annotations

from typing import Any

from db.session import Tx


def emit_observed(tx: Tx, instance_id: str, version: int, data: dict[str, Any]) -> None:
    tx.emit(
        project="default",
        event_type="OBSERVED",
        instance_id=instance_id,
        deployment_id="dep_observed",
        operation_id=None,
        version=version,
        status="running",
        from_status="running",
        to_status="running",
        source="monitor",
        reason=None,
        confirmation_method=None,
        actor="tester",
        cloud_instance_id=None,
        data=data,
    )

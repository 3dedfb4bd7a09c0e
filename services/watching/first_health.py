"""The first health of what a listing shows as asked for: a page of instances at once, instead of a look at each.

After a start with thousands of records, and after an outage, nobody knows any health. No status is written here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select, update

from db.models import Instance
from db.session import Tx
from domain.glimpses import Known
from domain.lifecycle import Health, Status
from domain.operations import Source
from domain.work import Seen
from services.watching.observers import Lease, holds, of_spot

PAGE = 500


def note_first_health(tx: Tx, lease: Lease, state: str, rows: Sequence[Known]) -> dict[str, int]:
    """They are healthy, each told by one event; their new versions. `rows` were read before the listing began.

    Those that were written since, or are being written, are left out: the next listing shows them again.
    """
    free = (
        select(Instance.id, Instance.version)
        .where(
            of_spot(lease.spot),
            Instance.id.in_([row.id for row in rows]),
            Instance.status == Status.RUNNING,
            Instance.health == Health.UNKNOWN,
        )
        .order_by(Instance.id)
        .with_for_update(skip_locked=True, key_share=True)
    )
    known = {row.id: row.version for row in rows}
    same = [row.id for row in tx.run(free) if known[row.id] == row.version]
    if not same:
        return {}
    healthy = {
        "health": Health.HEALTHY,
        "health_reason": None,
        "health_checked_at": tx.now,
        "provider_state": state,
        "version": Instance.version + 1,
        "updated_at": tx.now,
    }
    columns = (Instance.id, Instance.version, Instance.name, Instance.project, Instance.deployment_id)
    written = tx.run(
        update(Instance)
        .where(Instance.id.in_(same), holds(lease))
        .values(**healthy)
        .returning(*columns, Instance.cloud_instance_id)
    ).all()
    for row in written:
        _tell(tx, state, row)
    return {row.id: row.version for row in written}


def _tell(tx: Tx, state: str, row: Any) -> None:
    tx.emit(
        project=row.project,
        event_type="HEALTH_CHANGED",
        instance_id=row.id,
        deployment_id=row.deployment_id,
        operation_id=None,
        version=row.version,
        status=Status.RUNNING,
        from_status=Status.RUNNING,
        to_status=Status.RUNNING,
        source=Source.MONITOR,
        reason=None,
        confirmation_method=None,
        actor="berth",
        cloud_instance_id=row.cloud_instance_id,
        data={
            "name": row.name,
            "seen": Seen.UP.value,
            "provider_state": state,
            "detail": None,
            "health": Health.HEALTHY.value,
            "health_before": Health.UNKNOWN.value,
        },
    )

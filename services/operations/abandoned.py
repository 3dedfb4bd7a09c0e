"""Whatever is in progress although nobody works on it becomes `error`, and its history says so.

Cannot happen by way of the doors: an operation that ends settles what it touched. It is for records that were
changed from outside, for what a forgotten host's operation leaves behind, and for errors of ours.
"""

from __future__ import annotations

from sqlalchemy import case, exists, or_, select, update
from sqlalchemy.orm import aliased

from db.models import Instance, OperationRow
from db.session import Tx, interval
from domain.lifecycle import IN_PROGRESS, ProvisioningStatus, Status
from domain.operations import UNFINISHED, ErrorOrigin, Source

GRACE_SECONDS = 10.0
"""What has just changed is left alone: whoever changed it may not be done."""
_ROUND = 200


def sweep_abandoned(tx: Tx, grace_seconds: float = GRACE_SECONDS) -> list[str]:
    """Move them to `error`; returns their ids. Called by the keeper."""
    owner, live = aliased(OperationRow), aliased(OperationRow)
    quiet = Instance.updated_at + interval(grace_seconds) < tx.now
    found = tx.session.scalars(
        select(Instance)
        .join(owner, owner.id == Instance.operation_id, isouter=True)
        .where(
            Instance.status.in_(IN_PROGRESS),
            or_(owner.id.is_(None), owner.status.not_in(UNFINISHED)),
            ~exists().where(live.deployment_id == Instance.deployment_id, live.status.in_(UNFINISHED)),
            quiet,
        )
        .limit(_ROUND)
        .with_for_update(of=Instance, skip_locked=True)
        .execution_options(populate_existing=True)
    ).all()
    for row in found:
        _give_up(tx, row)
    return [row.id for row in found]


def _give_up(tx: Tx, row: Instance) -> None:
    was = row.status
    message = f"{row.name} was {was} and no operation was working on it any more; start it, or delete it."
    unfinished = [ProvisioningStatus.PENDING, ProvisioningStatus.PROVISIONING]
    version = tx.run(
        update(Instance)
        .where(Instance.id == row.id, Instance.version == row.version)
        .values(
            status=Status.ERROR,
            error_code="abandoned",
            error_message=message,
            error_origin=ErrorOrigin.OPERATION,
            provisioning_status=case(
                (Instance.provisioning_status.in_(unfinished), ProvisioningStatus.FAILED),
                else_=Instance.provisioning_status,
            ),
            version=Instance.version + 1,
            changed_by="berth",
            changed_at=tx.now,
            updated_at=tx.now,
        )
        .returning(Instance.version)
    ).scalar()
    tx.emit(
        project=row.project,
        event_type="ABANDONED",
        instance_id=row.id,
        deployment_id=row.deployment_id,
        operation_id=row.operation_id,
        version=version,
        status=Status.ERROR,
        from_status=was,
        to_status=Status.ERROR,
        source=Source.BERTH,
        reason=None,
        confirmation_method=None,
        actor="berth",
        cloud_instance_id=row.cloud_instance_id,
        data={"name": row.name, "error": {"code": "abandoned", "message": message}},
    )

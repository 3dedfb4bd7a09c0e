"""Forget: the record of what is lost goes, in one transaction; nothing real is touched."""

from __future__ import annotations

from sqlalchemy import delete, func, select

from db.models import Deployment, Instance, OperationRow
from db.session import CHANNEL_OPERATIONS, Tx
from domain.changes import check_legal
from domain.lifecycle import Operation, Status
from domain.operations import UNFINISHED, OperationStatus
from domain.specs import Accepted, Ask
from services.operations.acceptance import as_member, check_free, lock_deployment, replayed
from services.operations.fence import lock_operation
from services.operations.lives import end_life
from services.operations.outcomes import conclude
from services.operations.sizes import resize
from services.requests.edits import instance
from services.requests.single_changes import record

LOST = "lost"


def forget(tx: Tx, ask: Ask, instance_id: str, *, host_lost: bool) -> Accepted:
    """Remove the record of an instance whose host or object is lost.

    Legal from `error`, or from any status when the host is lost: then an operation that waits for that host is
    over. One of several members lowers `members`; the last takes its deployment along.
    """
    if (before := replayed(tx, ask)) is not None:
        return before
    row = instance(tx, ask, instance_id)
    deployment = lock_deployment(tx, row.deployment_id, ask.caller.project)
    if host_lost:
        removed_by = _end_what_waits(tx, deployment, instance_id)
        if removed_by is not None:
            return Accepted(removed_by, deployment.id)
    tx.session.refresh(row, with_for_update=True)
    if not host_lost:
        check_free(tx, deployment.id)
        check_legal(as_member(row), Operation.FORGET)
    operation_id = record(tx, ask, deployment, row, Operation.FORGET, Status.TERMINATED)
    end_life(tx, tx.session.get_one(OperationRow, operation_id), row, reason=LOST)
    left = tx.session.scalar(select(func.count()).where(Instance.deployment_id == deployment.id)) or 0
    if left:
        resize(tx, deployment, max(1, deployment.members - 1))
    else:
        tx.session.expunge(deployment)
        tx.session.execute(delete(Deployment).where(Deployment.id == deployment.id))
    return Accepted(operation_id, deployment.id)


def _end_what_waits(tx: Tx, deployment: Deployment, instance_id: str) -> str | None:
    """Whatever runs on a lost host is cancelled for good; should its run come back, its fence is gone.

    Returns the operation that has thereby removed the instance: a delete that was confirmed and only not finished.
    """
    query = select(OperationRow.id).where(
        OperationRow.deployment_id == deployment.id, OperationRow.status.in_(UNFINISHED)
    )
    message = "What it worked on was forgotten: its host is lost."
    error = {"code": "cancelled", "message": message, "retryable": False}
    for operation_id in tx.session.scalars(query.order_by(OperationRow.created_at, OperationRow.id)).all():
        operation, locked = lock_operation(tx, operation_id)
        assert locked is not None
        conclude(tx, operation, locked, OperationStatus.CANCELLED, error=error)
        tx.wake(CHANNEL_OPERATIONS, operation_id)
        if tx.session.scalar(select(Instance.id).where(Instance.id == instance_id)) is None:
            return operation_id
    return None

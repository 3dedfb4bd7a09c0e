"""Changes that are one transaction and no workflow: maintenance on and off, forget.

Each is recorded like every other operation, already succeeded, so that history and waiters need no second form.
"""

from __future__ import annotations

from sqlalchemy import delete, func, select, update

from db.models import Deployment, Instance, OperationInstance, OperationRow
from db.session import Tx
from domain.changes import Touch, check_legal
from domain.lifecycle import Operation, Status
from domain.operations import OperationStatus
from domain.specs import Accepted, Ask
from services.acceptance import as_member, check_free, insert_operation, lock_deployment, replayed
from services.edits import instance
from services.events import instance_event
from services.lives import end_life

LOST = "lost"


def maintenance(tx: Tx, ask: Ask, instance_id: str, *, on: bool, seen: Status | None = None) -> Accepted:
    """Begin or end maintenance. At its end the status is what was `seen` just now, else what it was before."""
    operation = Operation.MAINTENANCE_ON if on else Operation.MAINTENANCE_OFF
    if (before := replayed(tx, ask)) is not None:
        return before
    deployment, row = _locked(tx, ask, instance_id)
    check_free(tx, deployment.id)
    check_legal(as_member(row), operation)
    after = Status.MAINTENANCE if on else (seen or _before_maintenance(tx, row))
    operation_id = _record(tx, ask, deployment, row, operation, after)
    version = tx.run(
        update(Instance)
        .where(Instance.id == row.id)
        .values(status=after, operation_id=operation_id, version=Instance.version + 1, updated_at=tx.now)
        .returning(Instance.version)
    ).scalar_one()
    instance_event(
        tx,
        tx.session.get_one(OperationRow, operation_id),
        row.id,
        "CONFIRMED",
        version=version,
        change=(row.status, after),
        cloud_instance_id=row.cloud_instance_id,
        data={"name": row.name},
    )
    return Accepted(operation_id, deployment.id)


def forget(tx: Tx, ask: Ask, instance_id: str, *, host_lost: bool) -> Accepted:
    """Remove the record of an instance whose host or object is lost; nothing real is touched.

    Legal from `error`, or from any settled status when the host is lost. One of several members lowers `members`;
    the last takes its deployment along.
    """
    if (before := replayed(tx, ask)) is not None:
        return before
    deployment, row = _locked(tx, ask, instance_id)
    check_free(tx, deployment.id)
    if not host_lost:
        check_legal(as_member(row), Operation.FORGET)
    operation_id = _record(tx, ask, deployment, row, Operation.FORGET, Status.TERMINATED)
    end_life(tx, tx.session.get_one(OperationRow, operation_id), row, reason=LOST)
    left = tx.session.scalar(select(func.count()).where(Instance.deployment_id == deployment.id)) or 0
    if left:
        deployment.members = max(1, deployment.members - 1)
        deployment.generation += 1
    else:
        tx.session.expunge(deployment)
        tx.session.execute(delete(Deployment).where(Deployment.id == deployment.id))
    return Accepted(operation_id, deployment.id)


def _locked(tx: Tx, ask: Ask, instance_id: str) -> tuple[Deployment, Instance]:
    row = instance(tx, ask, instance_id)
    deployment = lock_deployment(tx, row.deployment_id, ask.caller.project)
    tx.session.refresh(row, with_for_update=True)
    return deployment, row


def _record(tx: Tx, ask: Ask, deployment: Deployment, row: Instance, operation: Operation, after: Status) -> str:
    """The operation, already done; waiters and history see it like any other."""
    before = row.status.value
    operation_id = insert_operation(
        tx,
        ask,
        deployment,
        operation,
        [Touch(row.id, row.name, operation, row.status, None, after.value, before, before)],
        status=OperationStatus.SUCCEEDED,
        phase="done",
        started_at=tx.now,
        finished_at=tx.now,
    )
    tx.session.execute(
        update(OperationInstance).where(OperationInstance.operation_id == operation_id).values(outcome="confirmed")
    )
    tx.session.refresh(row)
    return operation_id


def _before_maintenance(tx: Tx, row: Instance) -> Status:
    """What the instance was when maintenance began."""
    before = tx.session.scalar(
        select(OperationInstance.before)
        .join(OperationRow, OperationRow.id == OperationInstance.operation_id)
        .where(OperationInstance.instance_id == row.id, OperationRow.kind == Operation.MAINTENANCE_ON)
        .order_by(OperationRow.created_at.desc())
        .limit(1)
    )
    return Status(before) if before else Status.STOPPED

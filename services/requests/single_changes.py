"""A change that is one transaction, recorded as an operation that is done: history and waiters see one form."""

from __future__ import annotations

from sqlalchemy import update

from db.models import Deployment, Instance, OperationInstance, OperationRow
from db.session import Tx
from domain.changes import Touch
from domain.lifecycle import Operation, Status
from domain.operations import OperationStatus, Source
from domain.specs import Ask
from services.operations.acceptance import insert_operation
from services.operations.events import instance_event


def record(tx: Tx, ask: Ask, deployment: Deployment, row: Instance, operation: Operation, after: Status) -> str:
    """The operation, already succeeded on its one instance. Returns its id; `row` is fresh afterwards."""
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
    done = tx.session.get_one(OperationRow, operation_id)
    instance_event(tx, done, None, "SUCCEEDED", event="OPERATION", source=Source.BERTH, data={"error": None})
    return operation_id

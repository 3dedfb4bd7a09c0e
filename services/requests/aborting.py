"""A failed operation may listen for a retry; this closes it early. The keeper ends the run that listened."""

from __future__ import annotations

from db.models import OperationRow
from db.session import CHANNEL_OPERATIONS, Tx
from domain.errors import NotFound, OperationNotAllowed
from domain.specs import Ask
from services.access.audit import Outcome, note
from services.operations.events import instance_event
from services.operations.outcomes import end_listening


def abort(tx: Tx, ask: Ask, operation_id: str) -> None:
    """Take the listener away from a failed operation: `parked_until` goes, the keeper is woken to close its run.

    The operation stays failed and can still be retried. Raises `NotFound`, or `OperationNotAllowed` when nothing
    listens.
    """
    operation = tx.session.get(OperationRow, operation_id)
    if operation is None or operation.project != ask.caller.project:
        raise NotFound("operation", operation_id)
    if not end_listening(tx, operation_id, phase="closing"):
        raise OperationNotAllowed(
            "abort",
            operation.status.value,
            (),
            f"operation {operation_id} is {operation.status} and does not listen",
        )
    instance_event(
        tx,
        operation,
        None,
        "ABORTED",
        event="OPERATION",
        source=ask.caller.source,
        actor=ask.caller.name,
    )
    target = f"{operation.deployment_name} {operation.deployment_id}"
    note(tx, ask.caller, "abort", target, outcome=Outcome.ACCEPTED, status=202, detail=operation_id)
    tx.wake(CHANNEL_OPERATIONS, operation_id)

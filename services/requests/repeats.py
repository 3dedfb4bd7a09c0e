"""The door for a retry: a new operation that repeats the last failed one on what it left in error."""

from __future__ import annotations

from sqlalchemy import select

from db.models import OperationInstance, OperationRow
from db.session import Tx
from domain.changes import Member, Touch, check_not_held
from domain.errors import NotFound, OperationNotAllowed
from domain.lifecycle import Operation, Status
from domain.operations import OperationStatus
from domain.specs import Accepted, Ask
from services.operations.acceptance import (
    applied_form,
    check_free,
    insert_operation,
    lock_deployment,
    members_of,
    replayed,
    take_fence,
)
from services.requests.protection import check_may_go


def retry(tx: Tx, ask: Ask, failed_operation_id: str) -> Accepted:
    """Accept a new operation that repeats a failed or cancelled one on what it left in error."""
    if (before := replayed(tx, ask)) is not None:
        return before
    failed = tx.session.get(OperationRow, failed_operation_id)
    if failed is None or failed.project != ask.caller.project:
        raise NotFound("operation", failed_operation_id)
    deployment = lock_deployment(tx, failed.deployment_id, ask.caller.project)
    check_free(tx, deployment.id)
    members = {m.id: m for m in members_of(tx, deployment.id)}
    touches = _repeated(tx, failed, members)
    if not failed.status.repeatable or not touches:
        raise OperationNotAllowed(
            Operation.RETRY.value,
            None,
            (),
            f"operation {failed.id} is {failed.status}, and nothing is in error that it was the last to fail on; "
            "retry the instance itself",
        )
    if any(again.verb is Operation.DELETE for again in touches):
        check_may_go(tx, deployment)
    operation_id = insert_operation(
        tx,
        ask,
        deployment,
        failed.kind,
        touches,
        retry_of=failed.id,
        attempt=failed.attempt + 1,
        spec=failed.spec if failed.kind is not Operation.MODIFY else applied_form(deployment),
    )
    take_fence(tx, deployment.id, operation_id)
    return Accepted(operation_id, deployment.id)


def _last_failures(tx: Tx, failed: OperationRow) -> dict[str, str]:
    """Of each instance that `failed` touched: the last operation that failed, or was cancelled, on it."""
    rows = tx.session.execute(
        select(OperationInstance.instance_id, OperationRow.id)
        .join(OperationRow, OperationRow.id == OperationInstance.operation_id)
        .where(
            OperationInstance.instance_id.in_(failed.instance_ids),
            OperationRow.deployment_id == failed.deployment_id,
            OperationRow.status.in_([status for status in OperationStatus if status.repeatable]),
            OperationRow.started_at.is_not(None) | (OperationRow.kind == Operation.CREATE),
        )
        .order_by(OperationRow.created_at, OperationRow.id)
    )
    return {row.instance_id: row.id for row in rows}


def _repeated(tx: Tx, failed: OperationRow, members: dict[str, Member]) -> list[Touch]:
    """The moves of a retry: the failed ones again, of what is still in error and has not failed in another way."""
    rows = tx.session.scalars(
        select(OperationInstance)
        .where(OperationInstance.operation_id == failed.id)
        .order_by(OperationInstance.instance_name)
    )
    last = _last_failures(tx, failed)
    touches = []
    for row in rows:
        member = members.get(row.instance_id)
        if member is None or member.status is not Status.ERROR or last.get(member.id, failed.id) != failed.id:
            continue
        if not member.half_done:
            continue  # it was found like this, since it last worked: there is nothing to repeat
        again = Operation(row.verb)
        if member.delete_begun and again is not Operation.DELETE:
            continue  # nothing may start what is left of it
        if again is not Operation.DELETE:
            check_not_held(member, Operation.RETRY)
        if again is Operation.MODIFY and member.applied is None:
            again = Operation.CREATE
        during = Status(row.during) if row.during else None
        touches.append(
            Touch(member.id, member.name, again, member.status, during, row.done, row.failed, row.cancelled)
        )
    return touches

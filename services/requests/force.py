"""Stop by force: for an operation that is stuck. (A delete by force is `services.requests.withdrawals.delete`.)"""

from __future__ import annotations

from db.session import Tx
from domain.actions import Holder, Situation, enabled, why_not_forced
from domain.changes import Touch
from domain.errors import OperationNotAllowed
from domain.lifecycle import Operation, Status, move_for
from domain.operations import OperationStatus
from domain.specs import Accepted, Ask
from services.operations.acceptance import (
    holder_of,
    insert_operation,
    lock_deployment,
    members_of,
    new_id,
    replayed,
    take_fence,
)
from services.requests.changes import chosen_members
from services.requests.withdrawals import is_stuck, pre_empt


def stop_by_force(tx: Tx, ask: Ask, deployment_id: str, instance_id: str) -> Accepted:
    """Pre-empt an operation that is stuck, without a grace, and stop the instance.

    Raises `OperationNotAllowed` where nothing is stuck, or where a stop would end nothing.
    """
    if (before := replayed(tx, ask)) is not None:
        return before
    deployment = lock_deployment(tx, deployment_id, ask.caller.project)
    holder = holder_of(tx, deployment_id)
    member = chosen_members(members_of(tx, deployment_id), instance_id)[0]
    situation = Situation(
        member.status,
        member.role,
        deployment.blueprint,
        frozenset({Operation.STOP}),
        delete_begun=member.delete_begun,
        holder=Holder(holder.id, holder.kind, holder.status, member.id in holder.instance_ids) if holder else None,
        stuck=holder is not None and is_stuck(tx, holder),
    )
    why = why_not_forced(situation, Operation.STOP)
    if why is not None or holder is None:
        raise OperationNotAllowed("force_stop", member.status.value, enabled(situation), why)
    operation_id = new_id("op")
    pre_empt(tx, holder, operation_id)
    move = move_for(Operation.STOP, Status.RUNNING)
    ends = (move.done.value, move.failed.value, move.cancelled.value)
    stop = Touch(member.id, member.name, Operation.STOP, member.status, move.during, *ends)
    insert_operation(tx, ask, deployment, Operation.STOP, [stop], id=operation_id, forced=True)
    if holder.status is OperationStatus.PENDING:
        take_fence(tx, deployment.id, operation_id)
    return Accepted(operation_id, deployment.id)

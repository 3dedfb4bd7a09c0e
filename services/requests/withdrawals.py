"""The doors that take something away: delete, which pre-empts whatever runs, and cancel."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select, update

from db.models import Deployment, OperationRow
from db.session import CHANNEL_OPERATIONS, Tx
from domain.access import Right
from domain.changes import Member, Touch, touch
from domain.errors import NotFound, OnHold, OperationNotAllowed
from domain.holds import HoldCause, why_held
from domain.lifecycle import Operation, Role, Status, allowed_operations, move_for
from domain.operations import OperationStatus, Source
from domain.specs import Accepted, Ask
from services.access.audit import Outcome, note
from services.operations.acceptance import (
    check_free,
    holder_of,
    insert_operation,
    lock_deployment,
    members_of,
    new_id,
    replayed,
    standing,
    take_fence,
)
from services.operations.fence import lock_operation
from services.operations.outcomes import end_unstarted
from services.operations.sizes import resize
from services.places.database_checks import check_not_needed
from services.requests.changes import chosen_members
from services.requests.protection import check_may_go


def delete(
    tx: Tx,
    ask: Ask,
    deployment_id: str,
    instance_id: str | None = None,
    *,
    by_berth: bool = False,
    force: bool = False,
) -> Accepted:
    """Accept a delete; it pre-empts what runs. A second one returns the first, unless that is stuck and `force`.

    Deleting one of several members lowers `members`; deleting the last deletes the deployment. What holds the
    database of something that lives goes only `by_berth`, with that. Raises `Protected` while it must stay.
    """
    if (before := replayed(tx, ask)) is not None:
        return before
    deployment = lock_deployment(tx, deployment_id, ask.caller.project)
    holder = holder_of(tx, deployment_id)
    members = members_of(tx, deployment_id)
    chosen = chosen_members(members, instance_id) if members else []
    forced = force and holder is not None and is_stuck(tx, holder)
    if holder is not None and holder.kind is Operation.DELETE and not forced:
        if {m.id for m in chosen} <= set(holder.instance_ids):
            return Accepted(holder.id, deployment.id)
        check_free(tx, deployment_id)
    _check_primary(members, chosen)
    if not by_berth:
        check_may_go(tx, deployment)
        check_not_needed(tx, deployment)
    operation_id = new_id("op")
    if holder is not None:
        pre_empt(tx, holder, operation_id)
    touches = [_delete_touch(m) for m in chosen]
    insert_operation(tx, ask, deployment, Operation.DELETE, touches, id=operation_id, forced=forced)
    if len(chosen) < len(members):
        resize(tx, deployment, max(1, deployment.members - len(chosen)))
    if holder is None or holder.status is OperationStatus.PENDING:
        take_fence(tx, deployment.id, operation_id)
    return Accepted(operation_id, deployment.id)


def is_stuck(tx: Tx, holder: OperationRow) -> bool:
    """Whether it is past its deadline."""
    return holder.deadline_at is not None and bool(tx.session.scalar(select(tx.now > holder.deadline_at)))


def _delete_touch(member: Member) -> Touch:
    """The delete's move. A member that a pre-empted operation is already removing is deleted as from error."""
    if member.status is not Status.DELETING:
        return touch(member, Operation.DELETE)
    move = move_for(Operation.DELETE, Status.ERROR)
    assert isinstance(move.done, Status)
    assert isinstance(move.failed, Status)
    ends = (move.done.value, move.failed.value, member.status.value)
    return Touch(member.id, member.name, Operation.DELETE, member.status, move.during, *ends)


def _check_primary(members: Sequence[Member], chosen: Sequence[Member]) -> None:
    going = {m.id for m in chosen}
    left = [m for m in members if m.id not in going]
    primary = next((m for m in chosen if m.role is Role.PRIMARY), None)
    if primary is not None and any(m.role is Role.REPLICA for m in left):
        raise OperationNotAllowed(
            Operation.DELETE.value,
            primary.status.value,
            tuple(o.value for o in allowed_operations(primary.status) if o is not Operation.DELETE),
            f"{primary.name} is the primary of replicas; promote another or delete the deployment",
        )


def pre_empt(tx: Tx, holder: OperationRow, by: str) -> None:
    """Take the hold away from what runs; a pending holder has not begun and ends at once."""
    tx.session.execute(
        update(OperationRow)
        .where(OperationRow.id == holder.id)
        .values(pre_empted_by=by, cancel_requested_at=tx.now)
    )
    if holder.status is OperationStatus.PENDING:
        end_unstarted(tx, holder.id, "pre-empted by a delete")
    tx.wake(CHANNEL_OPERATIONS, holder.id)


def cancel(tx: Tx, ask: Ask, operation_id: str) -> OperationRow:
    """Cancel a pending operation at once, ask a running one to stop.

    Raises `OperationNotAllowed` for a delete that has planned, and for a final one, its deployment gone or not.
    """
    operation = tx.session.get(OperationRow, operation_id)
    if operation is None or operation.project != ask.caller.project:
        raise NotFound("operation", operation_id)
    operation, deployment = lock_operation(tx, operation_id)
    if operation.status.done or deployment is None:
        raise OperationNotAllowed("cancel", operation.status.value, (), f"the operation is {operation.status}")
    if operation.kind is Operation.SUSPEND:
        _check_own_hold(tx, ask, operation)
    if operation.status is OperationStatus.PENDING:
        _ask_to_end(tx, operation)
        end_unstarted(tx, operation.id, f"cancelled by {ask.caller.name}")
        if operation.kind is Operation.DELETE:
            _restore_members(tx, deployment)
    elif operation.kind is Operation.DELETE:
        raise OperationNotAllowed(
            "cancel", operation.status.value, (), "a delete that has begun cannot be taken back"
        )
    else:
        _ask_to_end(tx, operation)
    target = f"{operation.deployment_name} {operation.deployment_id}"
    note(tx, ask.caller, "cancel", target, outcome=Outcome.ACCEPTED, status=202, detail=operation.id)
    tx.wake(CHANNEL_OPERATIONS, operation.id)
    return operation


def _restore_members(tx: Tx, deployment: Deployment) -> None:
    """The accepted delete had lowered the wish; what it would have removed stays."""
    alive = len(members_of(tx, deployment.id))
    if alive > deployment.members:
        resize(tx, deployment, alive)


def _ask_to_end(tx: Tx, operation: OperationRow) -> None:
    if operation.cancel_requested_at is None:
        operation.cancel_requested_at = tx.session.scalar(select(tx.now))
        tx.session.flush()


def _check_own_hold(tx: Tx, ask: Ask, operation: OperationRow) -> None:
    """To cancel a suspension is to lift its hold: that is its owner's alone."""
    holds = standing(tx.session, operation.deployment_id)
    admins = any(hold.cause is HoldCause.ADMIN for hold in holds) and operation.source != Source.BILLING
    own = admins and ask.caller.may(Right.ADMIN)
    if holds and not own:
        raise OnHold("cancel", operation.status.value, (), f"cancel is refused: {why_held(holds)}")

"""The doors of suspend and unsuspend, and what enforces a hold that stands.

Suspension is a hold on the deployment, so both act on every member, whichever instance was named.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import func, select, update

from db.models import Deployment, Hold, Instance, OperationRow
from db.queries.holds import running_for_suspended
from db.session import Tx
from domain.changes import Member, Touch, split_legal, touch
from domain.errors import OnHold, OperationInProgress, Refused
from domain.holds import HoldCause, why_held
from domain.lifecycle import Operation, Status, allowed_operations, move_for
from domain.operations import UNFINISHED, OperationStatus, Source
from domain.specs import Accepted, Ask, Caller
from services.operations.acceptance import (
    check_free,
    insert_operation,
    lock_deployment,
    members_of,
    replayed,
    take_fence,
)
from services.operations.holds import Suspension, holds_of, lift, place, remember, touch_members
from services.requests.changes import act

_ENFORCED = frozenset({Status.RUNNING, Status.STOPPED, Status.MAINTENANCE})
"""Where a member of a held deployment must not rest. What is in error waits for whoever repeats the suspension."""


def suspend(tx: Tx, ask: Ask, deployment_id: str, wanted: Suspension) -> Accepted:
    """Place the hold and accept the operation that stops every member.

    Where everything is suspended already, the hold joins the other's: both stand, and nothing starts before both
    are lifted. Raises `OperationNotAllowed` when there is nothing to suspend and nothing to join.
    """
    if (before := replayed(tx, ask)) is not None:
        return before
    deployment = lock_deployment(tx, deployment_id, ask.caller.project)
    check_free(tx, deployment_id)
    able, skipped = split_legal(members_of(tx, deployment_id), Operation.SUSPEND)
    if not able and not _joins(tx, deployment_id, wanted.cause, [m for m, _ in skipped]):
        raise skipped[0][1]
    place(tx, deployment, ask.caller, wanted)
    touch_members(tx, deployment, ask.caller, besides=[m.id for m in able])
    if not able:
        return _recorded(tx, ask, deployment, Operation.SUSPEND)
    remember(tx, [m.id for m in able])
    operation_id = insert_operation(
        tx, ask, deployment, Operation.SUSPEND, [touch(m, Operation.SUSPEND) for m in able]
    )
    take_fence(tx, deployment.id, operation_id)
    return Accepted(operation_id, deployment.id)


def _joins(tx: Tx, deployment_id: str, cause: HoldCause, members: Sequence[Member]) -> bool:
    """Billing repeats itself, and is heard; an administrator who has suspended it is told so."""
    resting = [m for m in members if m.status is Status.SUSPENDED]
    if cause is HoldCause.BILLING:
        return bool(resting)
    causes = {hold.cause for hold in holds_of(tx, deployment_id)}
    return bool(causes) and cause not in causes and not all(m.delete_begun for m in resting)


def unsuspend(tx: Tx, ask: Ask, deployment_id: str, cause: HoldCause) -> Accepted:
    """Lift the hold of `cause`: at once where another stands, else when every member is as it was before.

    Raises `OnHold` when only the other's hold stands, `OperationNotAllowed` when nothing is suspended.
    """
    if (before := replayed(tx, ask)) is not None:
        return before
    deployment = lock_deployment(tx, deployment_id, ask.caller.project)
    check_free(tx, deployment_id)
    members, holds = members_of(tx, deployment_id), holds_of(tx, deployment_id)
    causes = {hold.cause for hold in holds}
    if cause not in causes and members and members[0].holds:
        raise _others(members)
    if len(causes) > 1:
        lift(tx, deployment, ask.caller, [cause])
        touch_members(tx, deployment, ask.caller)
        return _recorded(tx, ask, deployment, Operation.UNSUSPEND)
    able, skipped = split_legal(members, Operation.UNSUSPEND)
    if not able:
        raise skipped[0][1]
    operation_id = insert_operation(
        tx, ask, deployment, Operation.UNSUSPEND, [touch(m, _verb(m), Operation.UNSUSPEND) for m in able]
    )
    tx.run(update(Hold).where(Hold.deployment_id == deployment.id).values(lifting=operation_id))
    take_fence(tx, deployment.id, operation_id)
    return Accepted(operation_id, deployment.id)


def _verb(member: Member) -> Operation:
    """What has never been made is made, and then it runs."""
    return Operation.CREATE if member.applied is None else Operation.UNSUSPEND


def _others(members: Sequence[Member]) -> OnHold:
    """The refusal of whoever does not own the hold that stands."""
    status = members[0].status
    rest = allowed_operations(status, held=True)
    allowed = tuple(o.value for o in rest if o is not Operation.UNSUSPEND)
    why = why_held(members[0].holds)
    return OnHold(Operation.UNSUSPEND.value, status.value, allowed, f"not yours to lift: {why}")


def _recorded(tx: Tx, ask: Ask, deployment: Deployment, kind: Operation) -> Accepted:
    """A hold that came or went without anything to stop or start: the operation is done already."""
    operation_id = insert_operation(
        tx,
        ask,
        deployment,
        kind,
        [],
        status=OperationStatus.SUCCEEDED,
        phase="done",
        started_at=tx.now,
        finished_at=tx.now,
    )
    return Accepted(operation_id, deployment.id)


def suspend_again(tx: Tx, deployment_id: str, source: Source = Source.BERTH) -> Accepted | None:
    """Stop what runs although its deployment is held; None when nothing has to be, or somebody works on it.

    For the keeper, and for a monitor that has seen a suspended instance up: then that one is among `suspended`.
    """
    deployment = _held(tx, deployment_id)
    if deployment is None:
        return None
    try:
        check_free(tx, deployment_id)
    except OperationInProgress:
        return None
    ask = Ask(Caller("berth", deployment.project, source))
    stray = [m for m in members_of(tx, deployment_id) if m.status in _ENFORCED and not m.delete_begun]
    return _accepted_again(tx, ask, deployment, stray)


def stop_suspended(tx: Tx, instance_id: str) -> Accepted | None:
    """The monitor saw this suspended instance up: it is stopped again, by an ordinary operation of Berth's own.

    None when it is not suspended any more, or somebody works on its deployment.
    """
    row = tx.session.get(Instance, instance_id)
    if row is None or row.status is not Status.SUSPENDED:
        return None
    deployment = lock_deployment(tx, row.deployment_id, row.project)
    try:
        check_free(tx, deployment.id)
    except Refused:
        return None
    found = [m for m in members_of(tx, deployment.id) if m.id == instance_id and m.status is Status.SUSPENDED]
    return _accepted_again(tx, Ask(Caller("berth", row.project, Source.MONITOR)), deployment, found)


def stop_unused_server(tx: Tx, server_id: str) -> Accepted | None:
    """Stop a database server while all that it serves is suspended; the unsuspension starts it first.

    None when it has to run, or somebody works on it.
    """
    if server_id not in tx.session.scalars(running_for_suspended()):
        return None
    project = tx.session.get_one(Deployment, server_id).project
    try:
        return act(tx, Ask(Caller("berth", project, Source.BERTH)), Operation.STOP, server_id)
    except Refused:
        return None


def unused_servers(tx: Tx, limit: int = 100) -> list[str]:
    """Those to be stopped; in any order, so that one that is refused for ever blocks nobody."""
    found = running_for_suspended().subquery()
    return list(tx.session.scalars(select(*found.c).order_by(func.random()).limit(limit)))


def _held(tx: Tx, deployment_id: str) -> Deployment | None:
    """The deployment, locked, when a hold stands on it that nobody was asked to lift."""
    found = tx.session.get(Deployment, deployment_id, with_for_update=True, populate_existing=True)
    if found is None or not any(hold.lifting is None for hold in holds_of(tx, deployment_id)):
        return None
    return found


def _accepted_again(tx: Tx, ask: Ask, deployment: Deployment, members: Sequence[Member]) -> Accepted | None:
    if not members:
        return None
    remember(tx, [m.id for m in members if m.status is not Status.SUSPENDED])
    touches = [_again(member) for member in members]
    operation_id = insert_operation(tx, ask, deployment, Operation.SUSPEND, touches)
    take_fence(tx, deployment.id, operation_id)
    return Accepted(operation_id, deployment.id)


def _again(member: Member) -> Touch:
    """The move of what is to be stopped once more; of what counts as suspended it is that of a running one."""
    if member.status is not Status.SUSPENDED:
        return touch(member, Operation.SUSPEND)
    move = move_for(Operation.SUSPEND, Status.RUNNING)
    done, failed, cancelled = move.done.value, move.failed.value, Status.SUSPENDED.value
    return Touch(member.id, member.name, Operation.SUSPEND, member.status, move.during, done, failed, cancelled)


def astray(tx: Tx, limit: int = 100) -> list[str]:
    """Deployments that are held although a member does not rest suspended, and that nobody works on.

    In any order, so that one that is refused for ever blocks nobody.
    """
    busy = select(OperationRow.deployment_id).where(OperationRow.status.in_(UNFINISHED))
    found = (
        select(Hold.deployment_id)
        .join(Instance, Instance.deployment_id == Hold.deployment_id)
        .where(
            Hold.lifting.is_(None),
            Instance.status.in_(_ENFORCED),
            Instance.termination_requested_at.is_(None),
            Hold.deployment_id.not_in(busy),
        )
        .distinct()
        .subquery()
    )
    return list(tx.session.scalars(select(found.c.deployment_id).order_by(func.random()).limit(limit)))

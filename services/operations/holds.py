"""The records of suspensions: placed at acceptance, lifted when an unsuspension has succeeded, told in history.

Called by the doors of `services.requests.suspension` and by Finish (`services.operations.outcomes`). Every caller
has locked the deployment.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert

from db.models import Deployment, Hold, Instance, OperationRow
from db.session import Tx, interval
from domain.holds import HoldCause
from domain.lifecycle import Operation, Status
from domain.operations import OperationStatus, Source
from domain.specs import Caller
from services.views.common import iso


@dataclass(frozen=True)
class Suspension:
    """What is asked for. `delete_after_seconds`: the deployment goes then, unless the hold is lifted before."""

    cause: HoldCause
    note: str | None = None
    delete_after_seconds: float | None = None


def holds_of(tx: Tx, deployment_id: str) -> list[Hold]:
    """The holds that stand on a deployment, oldest first."""
    query = select(Hold).where(Hold.deployment_id == deployment_id).order_by(Hold.since)
    return list(tx.session.scalars(query.execution_options(populate_existing=True)))


def place(tx: Tx, deployment: Deployment, caller: Caller, wanted: Suspension) -> None:
    """Place a hold, or confirm the one of the same cause that stands: whoever was about to lift it is too late."""
    seconds = wanted.delete_after_seconds
    deletes_at = tx.now + interval(seconds) if seconds is not None else None
    fresh = insert(Hold).values(
        deployment_id=deployment.id,
        cause=wanted.cause,
        actor=caller.name,
        since=tx.now,
        note=wanted.note,
        deletes_at=deletes_at,
    )
    again: dict[str, Any] = {"lifting": None}
    if wanted.note is not None:
        again["note"] = wanted.note
    if deletes_at is not None:
        again["deletes_at"] = func.coalesce(Hold.deletes_at, deletes_at)
    row = tx.session.execute(
        fresh.on_conflict_do_update(index_elements=["deployment_id", "cause"], set_=again).returning(
            Hold.deletes_at, Hold.note
        )
    ).one()
    data = {"cause": wanted.cause, "note": row.note, "deletes_at": iso(row.deletes_at)}
    tell(tx, deployment, caller, "HOLD_PLACED", data)


def renew(tx: Tx, deployment: Deployment, caller: Caller, cause: HoldCause) -> None:
    """A hold that still stands though its reason had gone: it has come back, and the hold's time begins anew.

    Whoever was about to lift it is too late, as when it is placed.
    """
    row = tx.session.execute(
        update(Hold)
        .where(Hold.deployment_id == deployment.id, Hold.cause == cause)
        .values(since=tx.now, deletes_at=tx.now + (Hold.deletes_at - Hold.since), lifting=None)
        .returning(Hold.deletes_at, Hold.note)
    ).one_or_none()
    if row is not None:
        data = {"cause": cause, "note": row.note, "deletes_at": iso(row.deletes_at)}
        tell(tx, deployment, caller, "HOLD_PLACED", data)


def lift(tx: Tx, deployment: Deployment, caller: Caller, causes: Collection[HoldCause]) -> None:
    """The holds of these causes are gone."""
    gone = tx.session.execute(
        delete(Hold).where(Hold.deployment_id == deployment.id, Hold.cause.in_(causes)).returning(Hold.cause)
    ).scalars()
    for cause in sorted(gone):
        tell(tx, deployment, caller, "HOLD_LIFTED", {"cause": cause})


def tell(tx: Tx, deployment: Deployment, caller: Caller, what: str, data: dict[str, Any]) -> None:
    """An event of the whole deployment."""
    tx.emit(
        project=deployment.project,
        event_type=what,
        instance_id=None,
        deployment_id=deployment.id,
        operation_id=None,
        version=None,
        status=None,
        from_status=None,
        to_status=None,
        source=caller.source,
        reason=None,
        confirmation_method=None,
        actor=caller.name,
        cloud_instance_id=None,
        data={"name": deployment.name, **data},
    )


def touch_members(tx: Tx, deployment: Deployment, caller: Caller, besides: Collection[str] = ()) -> None:
    """Raise the versions of members that show what `caller` has changed and that no operation touches."""
    said = {"changed_by": caller.name, "changed_at": tx.now}
    tx.session.execute(
        update(Instance)
        .where(Instance.deployment_id == deployment.id, Instance.id.not_in(besides))
        .values(version=Instance.version + 1, updated_at=tx.now, **said)
    )


def remember(tx: Tx, instance_ids: Collection[str]) -> None:
    """Keep what each was before its suspension; a repeat of one keeps what was kept first."""
    tx.run(
        update(Instance)
        .where(Instance.id.in_(instance_ids), Instance.suspended_from.is_(None))
        .values(suspended_from=Instance.status)
    )


def settle_holds(tx: Tx, operation: OperationRow, deployment: Deployment, verdict: OperationStatus) -> None:
    """What the end of a suspension or unsuspension means for the hold. Called by Finish.

    Lifted: by an unsuspension that succeeded; with a suspension that was cancelled before it suspended anything.
    An unsuspension that was cancelled has not happened: the hold is enforced again.
    """
    caller = Caller(operation.actor, operation.project, Source(operation.source))
    if operation.kind is Operation.UNSUSPEND and verdict is OperationStatus.SUCCEEDED:
        causes = select(Hold.cause).where(Hold.deployment_id == deployment.id, Hold.lifting == operation.id)
        lift(tx, deployment, caller, list(tx.session.scalars(causes)))
    elif operation.kind is Operation.UNSUSPEND and verdict is OperationStatus.CANCELLED:
        tx.run(update(Hold).where(Hold.lifting == operation.id).values(lifting=None))
    elif operation.kind is Operation.SUSPEND and verdict is OperationStatus.CANCELLED:
        _taken_back(tx, operation, deployment, caller)


def stopped_by_deadline(operation: OperationRow) -> bool:
    """Whether nobody but its deadline has asked a begun operation to end."""
    asked, deadline = operation.cancel_requested_at, operation.deadline_at
    begun = operation.started_at is not None
    return begun and asked is not None and deadline is not None and asked >= deadline


def _taken_back(tx: Tx, operation: OperationRow, deployment: Deployment, caller: Caller) -> None:
    """Only the hold of whoever asked: the other's is its owner's, and is enforced anew.

    What was cancelled in Temporal, or ended with its lost host, was taken back by nobody who owns a hold: it
    stands, too.
    """
    if operation.cancel_requested_at is None or stopped_by_deadline(operation):
        return
    members = tx.session.execute(
        select(Instance.id, Instance.status).where(Instance.deployment_id == deployment.id)
    ).all()
    if operation.pre_empted_by is not None or any(row.status is Status.SUSPENDED for row in members):
        return
    cause = HoldCause.BILLING if operation.source == Source.BILLING else HoldCause.ADMIN
    lift(tx, deployment, caller, [cause])
    if not holds_of(tx, deployment.id):
        tx.run(update(Instance).where(Instance.deployment_id == deployment.id).values(suspended_from=None))

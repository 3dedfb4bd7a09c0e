"""The one fence: `deployments.operation_id`, together with that operation's status and run.

Every write of a running operation goes through it; every mutating provider call asks it directly before.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from db.models import Deployment, OperationRow
from db.session import Tx
from domain.errors import CallCancelled, FenceLost
from domain.operations import OperationStatus


@dataclass(frozen=True)
class Owner:
    """Who claims to act: an operation, and the first run of its workflow (kept by a reset)."""

    operation_id: str
    original_run_id: str


@dataclass(frozen=True)
class Held:
    """What the fence shows its owner: the operation, its deployment, and the time to store."""

    operation: OperationRow
    deployment: Deployment
    now: datetime


def check_fence(tx: Tx, owner: Owner, *, cancelled_too: bool = False) -> Held:
    """The operation with its deployment, if `owner` still owns it.

    Raises `FenceLost`; raises `CallCancelled` when the operation is asked to stop, unless `cancelled_too`
    (clean-up and Finish run after the request to stop).
    """
    row = tx.session.execute(
        select(OperationRow, Deployment, tx.now.label("now"))
        .join(Deployment, Deployment.id == OperationRow.deployment_id)
        .where(OperationRow.id == owner.operation_id)
        .with_for_update(read=True, of=OperationRow)
    ).one_or_none()
    if row is None:
        raise FenceLost(f"operation {owner.operation_id} has no deployment any more")
    operation, deployment, now = row
    if (
        operation.status is not OperationStatus.RUNNING
        or deployment.operation_id != operation.id
        or operation.original_run_id != owner.original_run_id
    ):
        raise FenceLost(f"operation {operation.id} is {operation.status}; this run no longer owns its deployment")
    if operation.cancel_requested_at is not None and not cancelled_too:
        raise CallCancelled(f"operation {operation.id} was asked to stop")
    return Held(operation, deployment, now)


def fence_holds(tx: Tx, owner: Owner, *, cancelled_too: bool = False) -> None:
    """The cheap form for the moment before a provider call: two columns, no lock."""
    row = tx.session.execute(
        select(
            OperationRow.status,
            OperationRow.original_run_id,
            OperationRow.cancel_requested_at,
            Deployment.operation_id,
        )
        .join(Deployment, Deployment.id == OperationRow.deployment_id)
        .where(OperationRow.id == owner.operation_id)
    ).one_or_none()
    if (
        row is None
        or row.status is not OperationStatus.RUNNING
        or row.operation_id != owner.operation_id
        or row.original_run_id != owner.original_run_id
    ):
        raise FenceLost(f"operation {owner.operation_id} no longer owns its deployment")
    if row.cancel_requested_at is not None and not cancelled_too:
        raise CallCancelled(f"operation {owner.operation_id} was asked to stop")

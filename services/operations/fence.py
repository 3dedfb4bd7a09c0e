"""The one fence: `deployments.operation_id`, together with that operation's status and run.

Every write of a running operation goes through it; every mutating provider call asks it directly before.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Text, and_, bindparam, or_, select
from sqlalchemy.orm import load_only

from db.models import Deployment, OperationRow, OperationStep
from db.session import Tx
from domain.databases import DatabaseStep
from domain.errors import AttemptOver, CallCancelled, FenceLost
from domain.operations import OperationStatus


@dataclass(frozen=True)
class Owner:
    """Who claims to act: an operation, and the first run of its workflow (kept by a reset)."""

    operation_id: str
    original_run_id: str


def check_owner(
    operation: OperationRow, deployment: Deployment, owner: Owner, *, cancelled_too: bool = False
) -> None:
    """Raise `FenceLost` unless `owner` owns the deployment.

    Raises `CallCancelled` when the operation is asked to stop, unless `cancelled_too` (clean-up and Finish run
    after the request to stop).
    """
    if (
        operation.status is not OperationStatus.RUNNING
        or deployment.operation_id != operation.id
        or operation.original_run_id != owner.original_run_id
    ):
        raise FenceLost(f"operation {operation.id} is {operation.status}; this run no longer owns its deployment")
    if operation.cancel_requested_at is not None and not cancelled_too:
        raise CallCancelled(f"operation {operation.id} was asked to stop")


def check_attempt(attempts: list[dict[str, Any]], attempt: int) -> None:
    """Raise `AttemptOver` unless `attempt`, counted from 1, is the step's last one and still open."""
    if len(attempts) != attempt or "ended_at" in attempts[-1]:
        raise AttemptOver(f"attempt {attempt} of this step is over; it touches nothing more")


_FENCE = (
    select(OperationRow, Deployment)
    .join(Deployment, Deployment.id == OperationRow.deployment_id)
    .where(OperationRow.id == bindparam("operation_id"))
)
_OWNER_COLUMNS = (
    load_only(OperationRow.status, OperationRow.original_run_id, OperationRow.cancel_requested_at),
    load_only(Deployment.operation_id),
)
_GUARD = (
    _FENCE.options(*_OWNER_COLUMNS)
    .add_columns(OperationStep.attempts)
    .join(OperationStep, OperationStep.operation_id == OperationRow.id)
    .where(
        OperationStep.instance_id == bindparam("instance_id"),
        or_(
            OperationStep.name == bindparam("step", type_=Text),
            and_(bindparam("step", type_=Text).is_(None), OperationStep.name.not_in(list(DatabaseStep))),
        ),
    )
)


def fence_holds(
    tx: Tx,
    owner: Owner,
    instance_id: str,
    attempt: int | None = None,
    *,
    step_name: str | None = None,
    cancelled_too: bool = False,
) -> None:
    """For the moment before a provider call: a few columns, no lock. Raises as `check_owner`.

    Raises `AttemptOver` when `attempt` of the instance's step, its move's own or the one named, is over.
    """
    given = {"operation_id": owner.operation_id, "instance_id": instance_id, "step": step_name}
    row = tx.session.execute(_GUARD, given).one_or_none()
    if row is None:
        raise FenceLost(f"operation {owner.operation_id} has no deployment any more")
    operation, deployment, attempts = row
    check_owner(operation, deployment, owner, cancelled_too=cancelled_too)
    if attempt is not None:
        check_attempt(attempts, attempt)


_LOCKED = (
    select(OperationRow, Deployment)
    .select_from(Deployment)
    .join(OperationRow, Deployment.id == OperationRow.deployment_id)
    .where(OperationRow.id == bindparam("operation_id"))
    .with_for_update()
    .execution_options(populate_existing=True)
)


def lock_operation(tx: Tx, operation_id: str) -> tuple[OperationRow, Deployment | None]:
    """The operation and its deployment (None: it is gone), both locked until the transaction ends.

    Deployment before operation, like everywhere: PostgreSQL locks a joined row in the order of the FROM list.
    Raises `FenceLost` when there is no such operation.
    """
    found = tx.session.execute(_LOCKED, {"operation_id": operation_id}).one_or_none()
    if found is not None:
        return found.OperationRow, found.Deployment
    operation = tx.session.get(OperationRow, operation_id, with_for_update=True, populate_existing=True)
    if operation is None:
        raise FenceLost(f"there is no operation {operation_id}")
    return operation, None

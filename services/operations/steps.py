"""One instance's step: begin an attempt, settle when confirmed, fail for good. Each is one fenced transaction.

Every status write is a compare-and-set on the owner.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import Select, Text, and_, bindparam, func, select

from db.models import Deployment, Instance, Maintenance, OperationInstance, OperationRow, OperationStep
from db.session import CHANNEL_RECORDS, Clock, Tx
from db.vault import Vault
from domain.errors import FenceLost
from domain.holds import Resumed, resumed
from domain.lifecycle import IN_PROGRESS, Operation, Status
from domain.operations import StepStatus
from domain.work import Secrets, Work
from services.operations.fence import Owner, check_owner
from services.operations.planning import write_planned
from services.operations.works import GrantedDatabase, granted, load_work

TIME_OVER = "its time was over, or the operation was stopped"
CUT = "the call was cancelled"
"""Why an attempt ended that did not end by itself: the cause of nothing."""


@dataclass(frozen=True)
class StepWork:
    """What an attempt works on. `settled`: an earlier attempt was confirmed and recorded already."""

    work: Work
    verb: Operation
    provider: str
    project: str
    before: str | None
    settled: bool
    attempt: int
    """The number of the attempt that is open, or was last."""
    resumes_up: bool = True
    """Of an unsuspension: whether it ran before, and is to run again."""
    database: GrantedDatabase | None = None
    """What was allocated to its deployment; activities know under which address the instance reaches it."""


@dataclass(frozen=True)
class Held:
    """Everything about one instance's part in an operation that owns its deployment, and the time to store."""

    operation: OperationRow
    deployment: Deployment
    move: OperationInstance
    row: Instance
    step: OperationStep
    now: datetime


@lru_cache(maxsize=8)
def _held_query(
    clock: Clock,
) -> Select[OperationRow, Deployment, OperationInstance, Instance, OperationStep, datetime]:
    """One statement for all of `Held`, built once: it runs several times in every operation.

    The share lock lets siblings write side by side and makes Finish wait for them; what else is done about this
    very step takes turns.
    """
    return (
        select(OperationRow, Deployment, OperationInstance, Instance, OperationStep, clock.now())
        .join(Deployment, Deployment.id == OperationRow.deployment_id)
        .join(OperationInstance, OperationInstance.operation_id == OperationRow.id)
        .join(Instance, Instance.id == OperationInstance.instance_id)
        .join(
            OperationStep,
            and_(
                OperationStep.operation_id == OperationRow.id,
                OperationStep.instance_id == OperationInstance.instance_id,
                OperationStep.name == func.coalesce(bindparam("step", type_=Text), OperationInstance.verb),
            ),
        )
        .where(
            OperationRow.id == bindparam("operation_id"),
            OperationInstance.instance_id == bindparam("instance_id"),
        )
        .with_for_update(read=True, of=OperationRow)
        .suffix_with("FOR UPDATE OF operation_steps, operation_instances")
    )


def hold(
    tx: Tx, owner: Owner, instance_id: str, *, step_name: str | None = None, cancelled_too: bool = True
) -> Held:
    """Load the instance's step, its move's own or the one named, under the fence.

    Raises `FenceLost`, and `CallCancelled` unless `cancelled_too`.
    """
    given = {"operation_id": owner.operation_id, "instance_id": instance_id, "step": step_name}
    found = tx.session.execute(_held_query(tx.clock), given).one_or_none()
    if found is None:
        raise FenceLost(f"operation {owner.operation_id} no longer touches instance {instance_id}")
    operation, deployment, move, row, step, now = found
    held = Held(operation, deployment, move, row, step, now)
    check_owner(held.operation, held.deployment, owner, cancelled_too=cancelled_too)
    return held


def begin_step(tx: Tx, vault: Vault, server_id: str, owner: Owner, instance_id: str) -> StepWork:
    """Open an attempt and load its work; an earlier one is over. Raises `FenceLost` or `CallCancelled`."""
    held = hold(tx, owner, instance_id, cancelled_too=False)
    if held.move.outcome is None:
        if held.row.operation_id != held.operation.id or held.row.status not in IN_PROGRESS:
            write_planned(tx, held.operation, held.move, held.row)
        attempts = closed(held.step.attempts, held.now, "the worker was lost")
        held.step.attempts = [*attempts, {"started_at": held.now.isoformat()}]
        held.step.status = StepStatus.RUNNING
        tx.wake(CHANNEL_RECORDS, held.operation.id)
    return _step_work(tx, vault, server_id, held)


def load_step(tx: Tx, vault: Vault, server_id: str, owner: Owner, instance_id: str) -> StepWork:
    """The step's work, without opening an attempt: for the poll. Raises as `begin_step`."""
    return _step_work(tx, vault, server_id, hold(tx, owner, instance_id, cancelled_too=False))


def begin_after(tx: Tx, vault: Vault, server_id: str, owner: Owner, instance_id: str) -> StepWork:
    """For what follows the attempts (clean-up, a look): one that still runs, past its time, ends here."""
    held = hold(tx, owner, instance_id)
    held.step.attempts = closed(held.step.attempts, held.now, TIME_OVER)
    return _step_work(tx, vault, server_id, held)


def _step_work(tx: Tx, vault: Vault, server_id: str, held: Held) -> StepWork:
    verb = Operation(held.move.verb)
    row = held.row
    work = load_work(tx, vault, server_id, row, _target(held, verb))
    return StepWork(
        replace(work, tried_before=verb is Operation.CREATE and held.move.before != Status.CREATING),
        verb,
        row.provider,
        row.project,
        held.move.before,
        settled=held.move.outcome is not None,
        attempt=len(held.step.attempts),
        resumes_up=verb is not Operation.UNSUSPEND or _resumed(tx, row).up,
        database=granted(tx, vault, server_id, row.deployment_id) if held.deployment.database else None,
    )


def _resumed(tx: Tx, row: Instance) -> Resumed:
    """What an unsuspension brings it back to."""
    before = tx.session.scalar(select(Maintenance.before).where(Maintenance.instance_id == row.id))
    origin = Status(row.suspended_from) if row.suspended_from else None
    return resumed(origin, Status(before) if before else None)


def _target(held: Held, verb: Operation) -> dict[str, Any]:
    """Create and modify bring about the operation's spec; everything else uses what is applied."""
    if verb in {Operation.CREATE, Operation.MODIFY} or held.row.applied_spec is None:
        return held.operation.spec
    return held.row.applied_spec


def ensure_secrets(tx: Tx, vault: Vault, instance_id: str, fresh: Secrets) -> Secrets:
    """Store `fresh` unless the instance has its secrets already; returns what holds."""
    vault.put(tx, instance_id, fresh)
    return vault.get(tx, instance_id)


def closed(attempts: list[dict[str, Any]], now: datetime, why: str | None) -> list[dict[str, Any]]:
    """`attempts` with the open one ended now."""
    if not attempts or "ended_at" in attempts[-1]:
        return attempts
    end: dict[str, Any] = {"ended_at": now.isoformat()} | ({"error": why} if why else {})
    return [*attempts[:-1], attempts[-1] | end]


def end_attempt(
    tx: Tx, owner: Owner, instance_id: str, attempt: int, error: str, *, step_name: str | None = None
) -> None:
    """Record why an attempt failed; the step goes on with the next attempt or fails for good."""
    held = hold(tx, owner, instance_id, step_name=step_name)
    if len(held.step.attempts) != attempt:
        return
    held.step.attempts = closed(held.step.attempts, held.now, error)
    if error != CUT:  # what a cut attempt was doing is all that is known of the cause
        held.step.message = None
    tx.wake(CHANNEL_RECORDS, held.operation.id)


def say(tx: Tx, owner: Owner, instance_id: str, message: str, *, step_name: str | None = None) -> None:
    """Show people what an attempt is doing now."""
    hold(tx, owner, instance_id, step_name=step_name).step.message = message
    tx.wake(CHANNEL_RECORDS, owner.operation_id)

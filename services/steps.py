"""One instance's step: begin an attempt, settle when confirmed, fail for good. Each is one fenced transaction.

The share lock on the operation (see `check_fence`) lets siblings of a phase write side by side and makes Finish
wait for them. Every status write is a compare-and-set on the owner.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import extract, select, update

from db.models import Instance, OperationInstance, OperationRow, OperationStep
from db.session import Tx
from db.vault import Vault
from domain.errors import FenceLost
from domain.lifecycle import IN_PROGRESS, Operation, ProvisioningStatus, Status
from domain.operations import OPERATION_DETAILS, ConfirmationMethod, ErrorOrigin, Source, StepStatus
from domain.work import Identity, Outcome, Resources, Secrets, Work
from services.events import instance_event
from services.fence import Held, Owner, check_fence
from services.planning import write_planned


@dataclass(frozen=True)
class StepWork:
    """What an attempt works on. `settled`: an earlier attempt was confirmed and recorded already."""

    work: Work
    verb: Operation
    provider: str
    project: str
    before: str | None
    settled: bool


@dataclass(frozen=True)
class Evidence:
    """What proved a change: the provider's answer, and who looked how."""

    outcome: Outcome
    source: Source = Source.BACKEND
    method: ConfirmationMethod = ConfirmationMethod.PROVIDER_POLL


def begin_step(tx: Tx, vault: Vault, server_id: str, owner: Owner, instance_id: str) -> StepWork:
    """Open an attempt and load its work. Raises `FenceLost` or `CallCancelled`."""
    held, move, row = _held_row(tx, owner, instance_id, cleaning=False)
    if move.outcome is None:
        if row.operation_id != held.operation.id or row.status not in IN_PROGRESS:
            write_planned(tx, held.operation, move, row)
        _open_attempt(tx, held, instance_id)
    return _step_work(tx, vault, server_id, held, move, row)


def load_step(
    tx: Tx, vault: Vault, server_id: str, owner: Owner, instance_id: str, *, cleaning: bool = False
) -> StepWork:
    """The step's work, without opening an attempt: for polls and clean-up."""
    return _step_work(tx, vault, server_id, *_held_row(tx, owner, instance_id, cleaning=cleaning))


def _held_row(
    tx: Tx, owner: Owner, instance_id: str, *, cleaning: bool
) -> tuple[Held, OperationInstance, Instance]:
    held = check_fence(tx, owner, cancelled_too=cleaning)
    move, row = _row(tx, held.operation, instance_id)
    if row is None:
        raise FenceLost(f"instance {instance_id} has no row any more")
    return held, move, row


def _step_work(
    tx: Tx, vault: Vault, server_id: str, held: Held, move: OperationInstance, row: Instance
) -> StepWork:
    verb = Operation(move.verb)
    work = load_work(tx, vault, server_id, row, _target(held, row, verb))
    return StepWork(work, verb, row.provider, row.project, move.before, settled=move.outcome is not None)


def _target(held: Held, row: Instance, verb: Operation) -> dict[str, Any]:
    """Create and modify bring about the operation's spec; everything else uses what is applied."""
    if verb in {Operation.CREATE, Operation.MODIFY} or row.applied_spec is None:
        return held.operation.spec
    return row.applied_spec


def load_work(tx: Tx, vault: Vault, server_id: str, row: Instance, spec: dict[str, Any]) -> Work:
    """The facts and secrets that a provider needs, fresh from the records."""
    generation = row.object_generation
    signature = vault.sign(server_id, row.project, row.deployment_id, row.id, str(generation))
    return Work(
        Identity(server_id, row.project, row.deployment_id, row.id, generation, signature),
        row.name,
        row.blueprint,
        spec["params"],
        Resources(**spec["resources"]),
        row.port,
        row.cloud_instance_id,
        vault.get(tx, row.id),
    )


def ensure_secrets(tx: Tx, vault: Vault, instance_id: str, fresh: Secrets) -> Secrets:
    """Store `fresh` unless the instance has its secrets already; returns what holds."""
    vault.put(tx, instance_id, fresh)
    return vault.get(tx, instance_id)


def _row(tx: Tx, operation: OperationRow, instance_id: str) -> tuple[OperationInstance, Instance | None]:
    found = tx.session.execute(
        select(OperationInstance, Instance)
        .join(Instance, Instance.id == OperationInstance.instance_id, isouter=True)
        .where(OperationInstance.operation_id == operation.id, OperationInstance.instance_id == instance_id)
    ).one_or_none()
    if found is None:
        raise FenceLost(f"operation {operation.id} does not touch instance {instance_id}")
    return found.OperationInstance, found.Instance


def _step(tx: Tx, operation_id: str, instance_id: str) -> OperationStep:
    return tx.session.scalars(
        select(OperationStep).where(
            OperationStep.operation_id == operation_id, OperationStep.instance_id == instance_id
        )
    ).one()


def _open_attempt(tx: Tx, held: Held, instance_id: str) -> None:
    step = _step(tx, held.operation.id, instance_id)
    attempts = _closed(step.attempts, held.now, "the worker was lost")
    step.attempts = [*attempts, {"started_at": held.now.isoformat()}]
    step.status = StepStatus.RUNNING


def _closed(attempts: list[dict[str, Any]], now: datetime, why: str | None) -> list[dict[str, Any]]:
    """`attempts` with the open one ended now."""
    if not attempts or "ended_at" in attempts[-1]:
        return attempts
    end: dict[str, Any] = {"ended_at": now.isoformat()} | ({"error": why} if why else {})
    return [*attempts[:-1], attempts[-1] | end]


def end_attempt(tx: Tx, owner: Owner, instance_id: str, error: str) -> None:
    """Record why an attempt failed; the step goes on with the next attempt or fails for good."""
    held = check_fence(tx, owner, cancelled_too=True)
    step = _step(tx, held.operation.id, instance_id)
    step.attempts = _closed(step.attempts, held.now, error)
    step.message = None


def say(tx: Tx, owner: Owner, instance_id: str, message: str) -> None:
    """Show people what an attempt is doing now."""
    held = check_fence(tx, owner, cancelled_too=True)
    _step(tx, held.operation.id, instance_id).message = message
    tx.wake("berth_events")


def accept_step(tx: Tx, owner: Owner, instance_id: str, outcome: Outcome) -> None:
    """Record the provider's acceptance, apart from the confirmation that is still to come."""
    held = check_fence(tx, owner, cancelled_too=True)
    move, row = _row(tx, held.operation, instance_id)
    if row is None:
        raise FenceLost(f"instance {instance_id} has no row any more")
    provider_id = outcome.provider_id or row.cloud_instance_id
    version = tx.session.scalar(
        update(Instance)
        .where(Instance.id == instance_id)
        .values(
            provider_state=outcome.provider_state,
            cloud_instance_id=provider_id,
            version=Instance.version + 1,
            updated_at=tx.now,
        )
        .returning(Instance.version)
    )
    instance_event(
        tx,
        held.operation,
        instance_id,
        "ACCEPTED",
        event=OPERATION_DETAILS[Operation(move.verb)].event,
        version=version,
        change=(row.status, row.status),
        source=Source.BACKEND,
        cloud_instance_id=provider_id,
    )


def settle_step(tx: Tx, owner: Owner, instance_id: str, evidence: Evidence) -> None:
    """Write the end of a confirmed step. The first evidence wins; a repeat writes nothing."""
    held = check_fence(tx, owner, cancelled_too=True)
    move, row = _row(tx, held.operation, instance_id)
    if move.outcome is not None or row is None:
        return
    verb = Operation(move.verb)
    outcome = evidence.outcome
    values: dict[str, Any] = {
        "provider_state": outcome.provider_state,
        "cloud_instance_id": outcome.provider_id or row.cloud_instance_id,
        "version": Instance.version + 1,
        "updated_at": tx.now,
    }
    if verb is Operation.DELETE:
        values |= {
            "termination_confirmed_at": tx.now,
            "termination_duration_seconds": extract("epoch", tx.now - Instance.termination_requested_at),
            "confirmation_method": evidence.method,
        }
    else:
        values |= _settled(tx, held, move, outcome)
    version = tx.session.scalar(
        update(Instance)
        .where(
            Instance.id == instance_id,
            Instance.operation_id == held.operation.id,
            Instance.status == move.during,
        )
        .values(**values)
        .returning(Instance.version)
    )
    if version is None:
        raise FenceLost(f"instance {instance_id} is {row.status}, not {move.during}; another owns it")
    move.outcome = "confirmed"
    step = _step(tx, held.operation.id, instance_id)
    step.attempts = _closed(step.attempts, held.now, None)
    step.status = StepStatus.DONE
    step.message = None
    if verb is not Operation.DELETE:
        instance_event(
            tx,
            held.operation,
            instance_id,
            "CONFIRMED",
            event=OPERATION_DETAILS[verb].event,
            version=version,
            change=(row.status, move.done),
            source=evidence.source,
            confirmation_method=evidence.method,
            cloud_instance_id=values["cloud_instance_id"],
        )


def _settled(tx: Tx, held: Held, move: OperationInstance, outcome: Outcome) -> dict[str, Any]:
    """What a confirmed step other than a delete leaves on the row."""
    values: dict[str, Any] = {"status": Status(move.done)}
    verb = Operation(move.verb)
    if outcome.endpoint is not None:
        values["endpoint"] = outcome.endpoint
    if verb is Operation.CREATE:
        values |= {
            "provisioning_status": ProvisioningStatus.COMPLETED,
            "launch_confirmed_at": tx.now,
            "launch_duration_seconds": extract("epoch", tx.now - Instance.launch_requested_at),
            "port_fixed": True,
        }
    if verb in {Operation.CREATE, Operation.MODIFY}:
        values["applied_spec"] = held.operation.spec
    return values


def fail_step(tx: Tx, owner: Owner, instance_id: str, error: dict[str, Any]) -> None:
    """The step has failed for good: the instance is `error` with its cause. A settled one is not touched."""
    held = check_fence(tx, owner, cancelled_too=True)
    move, row = _row(tx, held.operation, instance_id)
    if move.outcome is not None or row is None:
        return
    step = _step(tx, held.operation.id, instance_id)
    step.attempts = _closed(step.attempts, held.now, error["message"])
    step.status = StepStatus.FAILED
    step.message = None
    move.outcome = "failed"
    move.error = error
    mark_error(tx, held.operation, move, row, error)


def mark_error(
    tx: Tx,
    operation: OperationRow,
    move: OperationInstance,
    row: Instance,
    error: dict[str, Any],
    what: str = "FAILED",
) -> None:
    """`error` with its cause on one instance of this operation, and the event that says so."""
    verb = Operation(move.verb)
    values: dict[str, Any] = {
        "status": Status.ERROR,
        "error_code": error["code"],
        "error_message": error["message"],
        "error_origin": ErrorOrigin.OPERATION,
        "version": Instance.version + 1,
        "updated_at": tx.now,
    }
    if verb is Operation.CREATE:
        values["provisioning_status"] = ProvisioningStatus.FAILED
    version = tx.session.scalar(
        update(Instance).where(Instance.id == row.id).values(**values).returning(Instance.version)
    )
    instance_event(
        tx,
        operation,
        row.id,
        what,
        event=OPERATION_DETAILS[verb].event,
        version=version,
        change=(row.status, Status.ERROR),
        source=Source.BACKEND,
        cloud_instance_id=row.cloud_instance_id,
        data={"error": error},
    )

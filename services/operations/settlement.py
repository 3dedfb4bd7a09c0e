"""The end of one instance's step: accepted, confirmed, or failed for good. Each is one fenced transaction.

Every status write is a compare-and-set on the owner; the first evidence wins.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, extract, update

from db.models import Instance, OperationInstance, OperationRow, OperationStep
from db.session import Tx
from domain.errors import FenceLost
from domain.lifecycle import Health, Operation, ProvisioningStatus, Status
from domain.operations import OPERATION_DETAILS, ConfirmationMethod, ErrorOrigin, Source, StepStatus
from domain.work import Outcome
from services.operations.events import instance_event, launch_times
from services.operations.fence import Owner, check_attempt
from services.operations.steps import CUT, TIME_OVER, Held, closed, hold


@dataclass(frozen=True)
class Evidence:
    """What proved a change: the provider's answer, and who looked how."""

    outcome: Outcome
    source: Source = Source.BACKEND
    method: ConfirmationMethod = ConfirmationMethod.PROVIDER_POLL
    verified: bool = True
    """False: somebody's word alone, where the provider could not be asked."""


def accept_step(tx: Tx, owner: Owner, instance_id: str, attempt: int, evidence: Evidence) -> None:
    """Record the provider's acceptance, apart from the confirmation that is still to come."""
    held = hold(tx, owner, instance_id)
    check_attempt(held.step.attempts, attempt)
    move, row, outcome = held.move, held.row, evidence.outcome
    provider_id = outcome.provider_id or row.cloud_instance_id
    held.step.message = outcome.note
    version = tx.run(
        update(Instance)
        .where(Instance.id == instance_id)
        .values(
            provider_state=outcome.provider_state,
            cloud_instance_id=provider_id,
            **_landed(outcome),
            version=Instance.version + 1,
            updated_at=tx.now,
        )
        .returning(Instance.version)
    ).scalar()
    instance_event(
        tx,
        held.operation,
        instance_id,
        "ACCEPTED",
        event=OPERATION_DETAILS[Operation(move.verb)].event,
        version=version,
        change=(row.status, row.status),
        source=evidence.source,
        cloud_instance_id=provider_id,
        data=_data(row.name, evidence),
    )


def _landed(outcome: Outcome) -> dict[str, Any]:
    """The availability zone, once it is known."""
    return {"availability_zone": outcome.zone} if outcome.zone is not None else {}


def _data(name: str, evidence: Evidence) -> dict[str, Any]:
    """What an event tells beside its columns."""
    note = {"note": evidence.outcome.note} if evidence.outcome.note else {}
    return {"name": name, **note, **({} if evidence.verified else {"verified": False})}


def settle_step(tx: Tx, owner: Owner, instance_id: str, attempt: int, evidence: Evidence) -> None:
    """Write the end of a confirmed step. The first evidence wins; a repeat writes nothing.

    Raises `AttemptOver` when a clean-up has begun meanwhile: what was seen may be gone in a moment.
    """
    held = hold(tx, owner, instance_id)
    if held.move.outcome is not None:
        return
    check_attempt(held.step.attempts, attempt)
    verb = Operation(held.move.verb)
    cloud_id = evidence.outcome.provider_id or held.row.cloud_instance_id
    values = {"provider_state": evidence.outcome.provider_state, "cloud_instance_id": cloud_id}
    values |= _landed(evidence.outcome)
    values |= _gone(tx, evidence) if verb is Operation.DELETE else _settled(tx, held, evidence.outcome)
    written = _write_owned(tx, held, values)
    held.move.outcome = "confirmed"
    _end_step(held, StepStatus.DONE, None)
    held.step.message = evidence.outcome.note
    if verb is Operation.DELETE:
        return  # its event comes with the end of its record, in Finish
    instance_event(
        tx,
        held.operation,
        instance_id,
        "CONFIRMED",
        event=OPERATION_DETAILS[verb].event,
        version=written.version,
        change=(held.row.status, held.move.done),
        source=evidence.source,
        confirmation_method=evidence.method,
        cloud_instance_id=cloud_id,
        data=_data(held.row.name, evidence) | (launch_times(written) if verb is Operation.CREATE else {}),
    )


def _write_owned(tx: Tx, held: Held, values: dict[str, Any]) -> Row[Any]:
    """Compare-and-set on owner and planned state. Raises `FenceLost` when another owns the instance."""
    written = tx.run(
        update(Instance)
        .where(
            Instance.id == held.row.id,
            Instance.operation_id == held.operation.id,
            Instance.status == held.move.during,
        )
        .values(**values, version=Instance.version + 1, updated_at=tx.now)
        .returning(Instance.version, Instance.launch_confirmed_at, Instance.launch_duration_seconds)
    ).one_or_none()
    if written is None:
        raise FenceLost(
            f"instance {held.row.id} is {held.row.status}, not {held.move.during}; another operation owns it"
        )
    return written


def _end_step(held: Held, status: StepStatus, why: str | None) -> None:
    held.step.attempts = closed(held.step.attempts, held.now, why)
    held.step.status = status
    held.step.message = None


def _gone(tx: Tx, evidence: Evidence) -> dict[str, Any]:
    """What a confirmed delete leaves on the row until Finish removes it."""
    return {
        "termination_confirmed_at": tx.now,
        "termination_duration_seconds": extract("epoch", tx.now - Instance.termination_requested_at),
        "confirmation_method": evidence.method,
        "confirmation_source": evidence.source,
    }


def _settled(tx: Tx, held: Held, outcome: Outcome) -> dict[str, Any]:
    """What a confirmed step other than a delete leaves on the row: what was observed before it counts no more."""
    values: dict[str, Any] = {
        "status": Status(held.move.done),
        "health": Health.UNKNOWN,
        "health_reason": None,
        "drift": None,
    }
    verb = Operation(held.move.verb)
    if outcome.endpoint is not None:
        values["endpoint"] = outcome.endpoint
    if verb is Operation.CREATE:
        values |= {
            "provisioning_status": ProvisioningStatus.COMPLETED,
            "launch_confirmed_at": tx.now,
            "launch_duration_seconds": extract("epoch", tx.now - Instance.launch_requested_at),
            "port_fixed": True,
        }
    if verb in {Operation.CREATE, Operation.UNSUSPEND}:
        values["suspended_from"] = None
    if verb in {Operation.CREATE, Operation.MODIFY}:
        values["applied_spec"] = spec = held.operation.spec
        values["instance_type"] = spec["params"].get("instance_type", held.row.instance_type)
    return values


def fail_step(
    tx: Tx, owner: Owner, instance_id: str, error: dict[str, Any], *, step_name: str | None = None
) -> None:
    """The step has failed for good: the instance is `error` with its cause. A settled one is not touched.

    A step about the database fails the operation all the same; Finish says so of what had been deleted before it.
    """
    held = hold(tx, owner, instance_id, step_name=step_name)
    if held.step.status is StepStatus.DONE or (step_name is None and held.move.outcome is not None):
        return
    error = _with_last_words(held.step, error)
    _end_step(held, StepStatus.FAILED, error["message"])
    held.move.error = error
    if held.move.outcome is None:
        held.move.outcome = "failed"
        mark_error(tx, held.operation, held.move, held.row, error)


def _with_last_words(step: OperationStep, error: dict[str, Any]) -> dict[str, Any]:
    """A time-out alone says nothing of the cause: what the step said last does, or why its last attempt failed."""
    last = step.message or (step.attempts[-1].get("error") if step.attempts else None)
    if error["code"] != "timed-out" or last in (None, TIME_OVER, CUT) or last in error["message"]:
        return error
    return {**error, "message": f"{error['message']}; last: {last}"}


def mark_error(
    tx: Tx,
    operation: OperationRow,
    move: OperationInstance,
    row: Instance,
    error: dict[str, Any],
    what: str = "FAILED",
) -> None:
    """`error` with its cause on one instance of this operation, and the event that says so.

    An unsuspension that failed leaves it suspended, with the cause beside it.
    """
    verb, before = Operation(move.verb), row.status
    after = Status.SUSPENDED if verb is Operation.UNSUSPEND else Status.ERROR
    values: dict[str, Any] = {
        "status": after,
        "error_code": error["code"],
        "error_message": error["message"],
        "error_origin": ErrorOrigin.OPERATION if after is Status.ERROR else None,
        "version": Instance.version + 1,
        "updated_at": tx.now,
    }
    if verb is Operation.CREATE:
        values["provisioning_status"] = ProvisioningStatus.FAILED
    version = tx.run(
        update(Instance).where(Instance.id == row.id).values(**values).returning(Instance.version)
    ).scalar()
    instance_event(
        tx,
        operation,
        row.id,
        what,
        event=OPERATION_DETAILS[verb].event,
        version=version,
        change=(before, after),
        source=Source.BACKEND,
        cloud_instance_id=row.cloud_instance_id,
        data={"name": row.name, "error": error},
    )

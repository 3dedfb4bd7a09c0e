"""Confirmations from elsewhere: stored once under their key, they make the poll look at once.

They decide nothing alone: the poll verifies with the provider, and the first verified evidence settles the step.
A claim is named as its source only when the look that it brought about shows it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from db.models import Confirmation, Instance, OperationInstance, OperationRow
from db.session import CHANNEL_OPERATIONS, Tx
from domain.errors import FieldError, InvalidInput, NotFound, OperationNotAllowed
from domain.lifecycle import Operation
from domain.operations import ConfirmationKind, ConfirmationMethod, OperationStatus, Source
from domain.specs import Caller
from domain.work import Observation, Outcome
from services.operations.settlement import Evidence

_CONFIRMED_BY = {
    Operation.STOP: ConfirmationKind.STOPPED,
    Operation.SUSPEND: ConfirmationKind.STOPPED,
    Operation.DELETE: ConfirmationKind.TERMINATED,
    Operation.PROMOTE: ConfirmationKind.PROMOTED,
}


def record_confirmation(
    tx: Tx, caller: Caller, operation_id: str, instance_id: str, kind: str, generation: int
) -> bool:
    """Store the claim; False when it was there already. The source comes from the caller, never from a body.

    Raises `NotFound`, `InvalidInput`, or `OperationNotAllowed` when the operation is over.
    """
    if kind not in set(ConfirmationKind):
        raise InvalidInput(FieldError("/kind", f"is not one of {', '.join(ConfirmationKind)}"))
    found = tx.session.execute(
        select(OperationRow, Instance.object_generation, OperationInstance.verb)
        .join(OperationInstance, OperationInstance.operation_id == OperationRow.id)
        .join(Instance, Instance.id == OperationInstance.instance_id)
        .where(OperationRow.id == operation_id, OperationInstance.instance_id == instance_id)
    ).one_or_none()
    if found is None:
        raise NotFound("operation on this instance", operation_id)
    operation, current, verb = found
    if operation.status is not OperationStatus.RUNNING:
        raise OperationNotAllowed(
            "confirm", operation.status.value, (), f"operation {operation_id} is {operation.status}"
        )
    if kind != (wanted := _CONFIRMED_BY.get(Operation(verb), ConfirmationKind.LAUNCHED)):
        raise InvalidInput(FieldError("/kind", f"{verb} is confirmed by {wanted}, not by {kind}"))
    if generation != current:
        raise InvalidInput(FieldError("/generation", f"the object is at generation {current}"))
    source = Source.EXTERNAL if caller.source is Source.USER else caller.source
    stored = tx.session.execute(
        insert(Confirmation)
        .values(
            operation_id=operation_id,
            instance_id=instance_id,
            kind=kind,
            generation=generation,
            source=source,
            actor=caller.name,
            received_at=tx.now,
        )
        .on_conflict_do_nothing()
        .returning(Confirmation.operation_id)
    ).one_or_none()
    if stored is not None:
        tx.wake(CHANNEL_OPERATIONS, operation_id)
    return stored is not None


_AWS = "ec2"


def poll_evidence(provider: str, outcome: Outcome, *, by_agent: bool) -> Evidence:
    """What the provider itself has shown, to an agent or to the worker of Berth's own."""
    if by_agent:
        method = ConfirmationMethod.AGENT_AWS_POLL if provider == _AWS else ConfirmationMethod.PROVIDER_POLL
        return Evidence(outcome, Source.AGENT, method)
    method = ConfirmationMethod.BACKEND_AWS_CHECK if provider == _AWS else ConfirmationMethod.PROVIDER_POLL
    return Evidence(outcome, Source.BACKEND, method)


@dataclass(frozen=True)
class Claim:
    """Somebody's word that a step is done."""

    source: Source
    received_at: datetime


def unverified(look: Observation, claim: Claim) -> Evidence:
    """A claim that nobody could check."""
    outcome = Outcome(True, look.provider_state)
    return Evidence(outcome, claim.source, ConfirmationMethod.EXTERNAL, verified=False)


def claims(tx: Tx, operation_id: str, instance_id: str) -> list[Claim]:
    """Who claimed that this step is done, the first one first."""
    rows = tx.session.execute(
        select(Confirmation.source, Confirmation.received_at)
        .where(Confirmation.operation_id == operation_id, Confirmation.instance_id == instance_id)
        .order_by(Confirmation.received_at)
    )
    return [Claim(Source(source), received_at) for source, received_at in rows]

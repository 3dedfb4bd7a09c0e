"""Accept an operation: the checks and writes that every kind shares, in the caller's transaction.

No Temporal call happens here. The partial unique index allows one holding operation per deployment; the row
lock on the deployment, taken first, turns the race for it into an orderly answer that names the holder.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

from sqlalchemy import and_, func, insert, or_, select, update
from sqlalchemy.orm import Session
from ulid import ULID

from db.models import (
    Deployment,
    Instance,
    Maintenance,
    OperationInstance,
    OperationRow,
    OperationStep,
)
from db.queries.holds import deciding
from db.session import CHANNEL_OPERATIONS, Tx, interval
from domain.changes import Member, Touch
from domain.errors import IdempotencyConflict, NotFound, OperationInProgress
from domain.holds import Standing, resumed
from domain.lifecycle import Operation, Status
from domain.limits import PENDING_SLOW_SECONDS, PENDING_STUCK_SECONDS
from domain.operations import OPERATION_DETAILS, UNFINISHED, ErrorOrigin, OperationStatus, Reason
from domain.specs import Accepted, Ask, Spec
from services.access.audit import Outcome, note
from services.access.bounds import admit
from services.places.placement import check_host
from system.tracing import traceparent


def new_id(prefix: str) -> str:
    """An id that sorts by time of making: `ins_01j…`."""
    return f"{prefix}_{str(ULID()).lower()}"


def workflow_id(deployment_id: str) -> str:
    """The workflow id of every operation on a deployment: Temporal itself then allows one open run."""
    return f"deployment-{deployment_id}"


def replayed(tx: Tx, ask: Ask) -> Accepted | None:
    """The operation that an earlier request with the same key made. Raises `IdempotencyConflict`."""
    if ask.idempotency is None:
        return None
    key = ask.idempotency
    # The same request sent twice at once: the second waits here, and then finds what the first one made.
    lock = func.pg_advisory_xact_lock(func.hashtextextended(f"{key.scope}/{key.key}", 0))
    tx.session.execute(select(lock))
    found = tx.session.execute(
        select(OperationRow.id, OperationRow.deployment_id, OperationRow.idempotency_fingerprint).where(
            OperationRow.idempotency_scope == key.scope, OperationRow.idempotency_key == key.key
        )
    ).one_or_none()
    if found is None:
        return None
    if found.idempotency_fingerprint != key.fingerprint:
        raise IdempotencyConflict(
            f"Idempotency-Key {key.key!r} was used before with another body; use a new key for a new request."
        )
    return Accepted(found.id, found.deployment_id, replayed=True)


def lock_deployment(tx: Tx, deployment_id: str, project: str) -> Deployment:
    """The deployment, locked until the transaction ends. Raises `NotFound`."""
    row = tx.session.scalar(
        select(Deployment)
        .where(Deployment.id == deployment_id, Deployment.project == project)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if row is None:
        raise NotFound("deployment", deployment_id)
    return row


def holder_of(tx: Tx, deployment_id: str) -> OperationRow | None:
    """The operation that holds the deployment now, locked."""
    return tx.session.scalar(
        select(OperationRow)
        .where(
            OperationRow.deployment_id == deployment_id,
            OperationRow.status.in_(UNFINISHED),
            OperationRow.pre_empted_by.is_(None),
        )
        .with_for_update()
        .execution_options(populate_existing=True)
    )


def check_free(tx: Tx, deployment_id: str) -> None:
    """Raise `OperationInProgress`, naming the holder, unless nothing is unfinished on the deployment."""
    found = tx.session.execute(
        select(OperationRow.id, OperationRow.kind)
        .where(OperationRow.deployment_id == deployment_id, OperationRow.status.in_(UNFINISHED))
        .order_by(OperationRow.pre_empted_by.is_not(None))
        .limit(1)
    ).one_or_none()
    if found is not None:
        raise OperationInProgress(found.id, found.kind.value)


def members_of(tx: Tx, deployment_id: str) -> list[Member]:
    """The deployment's instances as decisions see them, locked, in order of their number."""
    rows = tx.session.execute(
        select(Instance, Maintenance.before)
        .join(Maintenance, Maintenance.instance_id == Instance.id, isouter=True)
        .where(Instance.deployment_id == deployment_id)
        .order_by(Instance.ordinal)
        .with_for_update(of=Instance)
        .execution_options(populate_existing=True)
    ).all()
    holds = standing(tx.session, deployment_id)
    return [as_member(row, holds, before) for row, before in rows]


def standing(session: Session, deployment_id: str) -> tuple[Standing, ...]:
    """The suspensions that decide about a deployment."""
    return deciding(session, [deployment_id]).get(deployment_id, ())


def with_begun_changes(session: Session, deployment_id: str, members: Sequence[Member]) -> list[Member]:
    """The members, those marked half done whose last change began and was not confirmed.

    A cancelled modify leaves an instance as one look shows it; what it had changed by then no look tells.
    """
    begun = (
        select(OperationInstance.instance_id, OperationInstance.outcome)
        .join(OperationRow, OperationRow.id == OperationInstance.operation_id)
        .join(
            OperationStep,
            and_(
                OperationStep.operation_id == OperationInstance.operation_id,
                OperationStep.instance_id == OperationInstance.instance_id,
                OperationStep.name == OperationInstance.verb,
            ),
        )
        .where(
            OperationRow.deployment_id == deployment_id,
            OperationInstance.verb.in_([Operation.CREATE, Operation.MODIFY]),
            func.jsonb_array_length(OperationStep.attempts) > 0,
        )
        .order_by(OperationRow.created_at, OperationRow.id)
    )
    last = {row.instance_id: row.outcome for row in session.execute(begun)}
    return [replace(m, half_done=m.half_done or last.get(m.id, "confirmed") != "confirmed") for m in members]


def as_member(row: Instance, holds: tuple[Standing, ...] = (), before_maintenance: str | None = None) -> Member:
    """An instance row as decisions see it."""
    before = Status(before_maintenance) if before_maintenance else None
    return Member(
        row.id,
        row.name,
        row.ordinal,
        row.role,
        row.status,
        row.applied_spec,
        delete_begun=row.termination_requested_at is not None,
        half_done=row.status is Status.ERROR and row.error_origin is ErrorOrigin.OPERATION,
        holds=holds,
        resumes=resumed(Status(row.suspended_from) if row.suspended_from else None, before),
    )


def applied_form(deployment: Deployment) -> dict[str, Any]:
    """The desired spec in the form stored as `applied_spec` once it has reached an instance."""
    spec = Spec(deployment.params, deployment.resources, revisions=deployment.secret_revisions)
    return spec.applied()


def insert_operation(
    tx: Tx,
    ask: Ask,
    deployment: Deployment,
    kind: Operation,
    touches: Sequence[Touch],
    **values: Any,
) -> str:
    """Store the operation with its moves, take the fence, and bump what it touches. Returns its id.

    Raises `HostUnavailable` where nobody would carry it out, and what `services.access.bounds.admit` raises.
    """
    if touches:
        check_host(tx, deployment.host_id, kind)
    admit(tx, ask, deployment, kind)
    operation_id: str = values.pop("id", None) or new_id("op")
    row = {"id": operation_id, **_row(tx, ask, deployment, kind, touches), **values}
    tx.run(insert(OperationRow).values(row))
    if touches:
        tx.run(
            insert(OperationInstance),
            [{"operation_id": operation_id, **asdict(t)} for t in touches],
        )
    _bump(tx, deployment, operation_id, kind, touches, ask)
    target = f"{deployment.name} {deployment.id}"
    note(tx, ask.caller, kind.value, target, outcome=Outcome.ACCEPTED, status=202, detail=operation_id)
    tx.wake(CHANNEL_OPERATIONS, operation_id)
    return operation_id


def _row(tx: Tx, ask: Ask, deployment: Deployment, kind: Operation, touches: Sequence[Touch]) -> dict[str, Any]:
    """An operation as it is accepted."""
    key = ask.idempotency
    return {
        "project": deployment.project,
        "kind": kind,
        "deployment_id": deployment.id,
        "deployment_name": deployment.name,
        "blueprint": deployment.blueprint,
        "provider": deployment.provider,
        "instance_ids": [t.instance_id for t in touches],
        "status": OperationStatus.PENDING,
        "phase": "accepted",
        "actor": ask.caller.name,
        "source": ask.caller.source,
        "reason": ask.reason,
        "spec": applied_form(deployment),
        "workflow_id": workflow_id(deployment.id),
        "created_at": tx.now,
        "slow_at": tx.now + interval(PENDING_SLOW_SECONDS),
        "deadline_at": tx.now + interval(PENDING_STUCK_SECONDS),
        "idempotency_scope": key.scope if key else None,
        "idempotency_key": key.key if key else None,
        "idempotency_fingerprint": key.fingerprint if key else None,
        "traceparent": traceparent(),
    }


def _bump(
    tx: Tx, deployment: Deployment, operation_id: str, kind: Operation, touches: Sequence[Touch], ask: Ask
) -> None:
    """Raise versions, so that a monitor that looked before this moment cannot write; record the request."""
    event = OPERATION_DETAILS[kind].event
    versions: dict[str, Any] = {}
    if touches:
        values: dict[str, Any] = {"version": Instance.version + 1, "updated_at": tx.now}
        values |= {"changed_by": ask.caller.name, "changed_at": tx.now}
        if ask.reason is not Reason.RESTART_POLICY:
            values["restarts"] = 0
        rows = tx.run(
            update(Instance)
            .where(Instance.id.in_([t.instance_id for t in touches]))
            .values(**values)
            .returning(Instance.id, Instance.version, Instance.status, Instance.cloud_instance_id)
        )
        versions = {r.id: r for r in rows}
    for t in touches:
        row = versions[t.instance_id]
        tx.emit(
            project=deployment.project,
            event_type=f"{event}_REQUESTED",
            instance_id=t.instance_id,
            deployment_id=deployment.id,
            operation_id=operation_id,
            version=row.version,
            status=row.status,
            from_status=row.status,
            to_status=row.status,
            source=ask.caller.source,
            reason=ask.reason,
            confirmation_method=None,
            actor=ask.caller.name,
            cloud_instance_id=row.cloud_instance_id,
            data={"verb": t.verb, "name": t.instance_name},
        )


def take_fence(tx: Tx, deployment_id: str, operation_id: str) -> None:
    """Make `operation_id` the one that owns the deployment."""
    tx.run(
        update(Deployment)
        .where(Deployment.id == deployment_id)
        .values(operation_id=operation_id, version=Deployment.version + 1, updated_at=tx.now)
    )


def last_operation(tx: Tx, deployment_id: str, instance_id: str | None = None) -> OperationRow | None:
    """The newest operation of a deployment, or of one of its instances."""
    query = select(OperationRow).where(OperationRow.deployment_id == deployment_id)
    if instance_id is not None:
        query = query.where(
            or_(OperationRow.instance_ids.contains([instance_id]), OperationRow.instance_ids == [])
        )
    return tx.session.scalar(query.order_by(OperationRow.created_at.desc(), OperationRow.id.desc()).limit(1))

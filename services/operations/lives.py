"""Finished lives: an instance's row goes, what it was stays in `instance_runs`."""

from __future__ import annotations

from sqlalchemy import delete, extract, insert

from db.models import Instance, InstanceRun, OperationRow
from db.session import Tx
from domain.lifecycle import Operation, Status
from domain.operations import OPERATION_DETAILS, ConfirmationMethod, Source
from services.operations.acceptance import new_id
from services.operations.events import instance_event, termination_times


def end_life(tx: Tx, operation: OperationRow, row: Instance, *, reason: str | None = None) -> None:
    """Move one instance from the living to the finished lives."""
    confirmed = row.termination_confirmed_at
    method = row.confirmation_method or (ConfirmationMethod.PROVIDER_POLL if reason is None else None)
    run_id = new_id("run")
    tx.run(
        insert(InstanceRun).values(
            run_id=run_id,
            instance_id=row.id,
            project=row.project,
            name=row.name,
            deployment_id=row.deployment_id,
            blueprint=row.blueprint,
            provider=row.provider,
            host_id=row.host_id,
            cloud_instance_id=row.cloud_instance_id,
            instance_type=row.instance_type,
            availability_zone=row.availability_zone,
            created_at=row.created_at,
            launched_at=row.launch_confirmed_at,
            terminated_at=tx.now,
            termination_confirmed_at=confirmed,
            launch_duration_seconds=row.launch_duration_seconds,
            termination_duration_seconds=row.termination_duration_seconds,
            total_runtime_seconds=extract("epoch", tx.now - row.launch_confirmed_at)
            if row.launch_confirmed_at
            else None,
            termination_reason=reason or operation.reason or "manual",
            confirmation_method=method,
            actor=operation.actor,
            operation_id=operation.id,
        )
    )
    tx.session.expunge(row)
    tx.session.execute(delete(Instance).where(Instance.id == row.id))
    instance_event(
        tx,
        operation,
        row.id,
        "CONFIRMED",
        event=OPERATION_DETAILS[Operation.DELETE if reason is None else Operation.FORGET].event,
        version=row.version + 1,
        change=(row.status, Status.TERMINATED),
        source=Source(row.confirmation_source or Source.BACKEND) if reason is None else operation.source,
        confirmation_method=method,
        cloud_instance_id=row.cloud_instance_id,
        data={"run_id": run_id, "name": row.name, **termination_times(row)},
    )

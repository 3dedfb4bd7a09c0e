"""What the keeper reads and the limits it works with."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select, update

from db.models import OperationRow
from db.session import Tx
from domain.operations import OperationStatus

_ROUND = 500


@dataclass(frozen=True)
class KeeperLimits:
    """Seconds. See `settings.Settings` for what each is for."""

    interval_seconds: float
    gone_look_seconds: float
    run_hold_seconds: float
    cancel_grace_seconds: float


@dataclass(frozen=True)
class Unfinished:
    """One operation that is not final, as the keeper sees it."""

    id: str
    kind: str
    status: str
    deployment_id: str
    deployment_name: str
    provider: str
    actor: str
    workflow_id: str
    run_id: str | None
    original_run_id: str | None
    cancel_requested: bool
    cancel_age_seconds: float
    running_seconds: float


def unfinished(tx: Tx) -> list[Unfinished]:
    """Every pending or running operation, oldest first, a bounded number."""
    rows = tx.session.execute(
        select(
            OperationRow.id,
            OperationRow.kind,
            OperationRow.status,
            OperationRow.deployment_id,
            OperationRow.deployment_name,
            OperationRow.provider,
            OperationRow.actor,
            OperationRow.workflow_id,
            OperationRow.run_id,
            OperationRow.original_run_id,
            OperationRow.cancel_requested_at,
            OperationRow.started_at,
            tx.now.label("now"),
        )
        .where(OperationRow.status.in_([OperationStatus.PENDING, OperationStatus.RUNNING]))
        .order_by(OperationRow.created_at)
        .limit(_ROUND)
    )
    return [
        Unfinished(
            r.id,
            r.kind.value,
            r.status.value,
            r.deployment_id,
            r.deployment_name,
            r.provider,
            r.actor,
            r.workflow_id,
            r.run_id,
            r.original_run_id,
            r.cancel_requested_at is not None,
            (r.now - r.cancel_requested_at).total_seconds() if r.cancel_requested_at else 0.0,
            (r.now - r.started_at).total_seconds() if r.started_at else 0.0,
        )
        for r in rows
    ]


def overdue_to_cancel(tx: Tx) -> None:
    """Past its deadline, an operation is asked to stop like any cancelled one; its grace then begins."""
    tx.session.execute(
        update(OperationRow)
        .where(
            OperationRow.status == OperationStatus.RUNNING,
            OperationRow.cancel_requested_at.is_(None),
            OperationRow.deadline_at < tx.now,
        )
        .values(cancel_requested_at=tx.now)
    )


def is_holding_or_listening(tx: Tx, operation_id: str) -> tuple[str | None, bool]:
    """(status, whether its run still listens) of the operation that another run carries out."""
    row = tx.session.execute(
        select(OperationRow.status, OperationRow.parked_until).where(OperationRow.id == operation_id)
    ).one_or_none()
    return (row.status.value, row.parked_until is not None) if row else (None, False)


def close_expired_listeners(tx: Tx) -> None:
    """A run that was ended from outside cannot say that it stopped listening."""
    tx.session.execute(
        update(OperationRow).where(OperationRow.parked_until < tx.now).values(parked_until=None, phase="done")
    )

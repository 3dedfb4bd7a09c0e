"""What the keeper reads and the limits it works with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import exists, or_, select, true, update
from sqlalchemy.orm import aliased

from db.models import OperationRow
from db.session import Tx
from domain.operations import UNFINISHED, OperationStatus

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
    traceparent: str | None = None
    forced: bool = False
    """What pre-empts it was asked for by force: it gets no grace."""


def unfinished(tx: Tx, *, urgent_only: bool) -> list[Unfinished]:
    """Pending and running operations, a bounded number: first those that wait for the keeper, oldest first.

    `urgent_only`: those alone, pending or asked to stop.
    """
    urgent = or_(OperationRow.status == OperationStatus.PENDING, OperationRow.cancel_requested_at.is_not(None))
    successor = aliased(OperationRow)
    forced = exists().where(successor.id == OperationRow.pre_empted_by, successor.forced)
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
            OperationRow.traceparent,
            forced.label("forced"),
            tx.now.label("now"),
        )
        .where(
            OperationRow.status.in_(UNFINISHED),
            urgent if urgent_only else true(),
        )
        .order_by(urgent.desc(), OperationRow.created_at)
        .limit(_ROUND)
    )
    return [_unfinished(row) for row in rows]


def _unfinished(row: Any) -> Unfinished:
    return Unfinished(
        row.id,
        row.kind.value,
        row.status.value,
        row.deployment_id,
        row.deployment_name,
        row.provider,
        row.actor,
        row.workflow_id,
        row.run_id,
        row.original_run_id,
        row.cancel_requested_at is not None,
        (row.now - row.cancel_requested_at).total_seconds() if row.cancel_requested_at else 0.0,
        (row.now - row.started_at).total_seconds() if row.started_at else 0.0,
        row.traceparent,
        row.forced,
    )


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


def is_unfinished(tx: Tx, operation_id: str) -> bool:
    """Whether an operation, that of another run, is known and not final."""
    query = select(OperationRow.id).where(OperationRow.id == operation_id, OperationRow.status.in_(UNFINISHED))
    return tx.session.execute(query).one_or_none() is not None


def close_dead_listeners(tx: Tx) -> None:
    """A run that was ended from outside cannot say that it stopped listening: time or a newer operation tells."""
    newer = aliased(OperationRow)
    superseded = exists().where(
        newer.deployment_id == OperationRow.deployment_id,
        newer.created_at > OperationRow.finished_at,
        newer.started_at.is_not(None),
    )
    tx.session.execute(
        update(OperationRow)
        .where(OperationRow.parked_until.is_not(None), or_(OperationRow.parked_until < tx.now, superseded))
        .values(parked_until=None, phase="done")
        .execution_options(synchronize_session=False)
    )


@dataclass(frozen=True)
class Listener:
    """A run that a person no longer wants to listen."""

    operation_id: str
    workflow_id: str
    run_id: str


def closing_listeners(tx: Tx) -> list[Listener]:
    """Listeners that were aborted in the records and still have to be told."""
    rows = tx.session.execute(
        select(OperationRow.id, OperationRow.workflow_id, OperationRow.run_id).where(
            OperationRow.phase == "closing", OperationRow.run_id.is_not(None)
        )
    )
    return [Listener(r.id, r.workflow_id, r.run_id) for r in rows]


def listener_closed(tx: Tx, operation_id: str) -> None:
    """It was told, or its run is gone."""
    tx.session.execute(
        update(OperationRow)
        .where(OperationRow.id == operation_id, OperationRow.phase == "closing")
        .values(phase="done")
    )

"""What is too old goes, a batch at a time. Never a row that something living still needs.

Called by the keeper under its lock, once in a while. What a purge removes can no longer be read: a cursor from
before the oldest event that is left gets `snapshot_required`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import Column, Select, Table, and_, delete, exists, func, or_, select, update
from sqlalchemy.orm import aliased

from db.models import (
    Base,
    Confirmation,
    Deployment,
    Instance,
    InstanceRun,
    LifecycleEvent,
    Notification,
    OneTimeCode,
    OperationInstance,
    OperationRow,
    OperationStep,
    Pulse,
    SpanRow,
)
from db.session import Tx
from domain.operations import OperationStatus

_TRAIL_STAYS = timedelta(days=30, minutes=1)


@dataclass(frozen=True)
class Keeping:
    """How long each kind of row is kept, and how many a look removes of each."""

    idempotency: timedelta = timedelta(hours=48)
    deliveries: timedelta = timedelta(days=30)
    events: timedelta = timedelta(days=90)
    history: timedelta = timedelta(days=400)
    traces: timedelta = timedelta(days=7)
    batch: int = 1000


def purge(tx: Tx, keeping: Keeping) -> dict[str, int]:
    """One batch of every kind; returns how many rows of each went."""
    rules: dict[str, Callable[[Tx, Keeping], int]] = {
        "idempotency": _idempotency,
        "deliveries": _deliveries,
        "notifications": _notifications,
        "events": _events,
        "operations": _operations,
        "runs": _runs,
        "audit": _audit,
        "spans": _spans,
        "codes": _codes,
    }
    removed = {name: rule(tx, keeping) for name, rule in rules.items()}
    return {name: number for name, number in removed.items() if number}


def _idempotency(tx: Tx, keeping: Keeping) -> int:
    """The key is forgotten, the operation stays. An unfinished one keeps it: the request may come again."""
    old = (
        select(OperationRow.id)
        .where(
            OperationRow.idempotency_key.is_not(None),
            OperationRow.created_at < tx.now - keeping.idempotency,
            OperationRow.finished_at.is_not(None),
        )
        .order_by(OperationRow.created_at)
        .limit(keeping.batch)
    )
    cleared = {"idempotency_scope": None, "idempotency_key": None, "idempotency_fingerprint": None}
    return tx.run(update(OperationRow).where(OperationRow.id.in_(old)).values(**cleared)).rowcount


def _deliveries(tx: Tx, keeping: Keeping) -> int:
    """Webhooks that were received."""
    return _by_time(tx, "webhook_deliveries", "received_at", keeping.deliveries, keeping.batch)


def _audit(tx: Tx, keeping: Keeping) -> int:
    """Through the one function that may: the trail is append-only, and its last thirty days always stay."""
    oldest = func.clock_timestamp() - _TRAIL_STAYS
    before = func.least(tx.now - keeping.history, oldest)
    return int(tx.run(select(func.purge_audit(before, keeping.batch))).scalar_one())


def _notifications(tx: Tx, keeping: Keeping) -> int:
    old = and_(Notification.state != "pending", Notification.created_at < tx.now - keeping.deliveries)
    some = select(Notification.id).where(old).order_by(Notification.created_at).limit(keeping.batch)
    return tx.run(delete(Notification).where(Notification.id.in_(some))).rowcount


def _events(tx: Tx, keeping: Keeping) -> int:
    """Oldest first, so that what is left has no hole; never the newest, nor one that is not counted yet."""
    newest = select(func.max(LifecycleEvent.seq)).scalar_subquery()
    counted = select(Pulse.cursor).where(Pulse.name == "ledger").scalar_subquery()
    some = (
        select(LifecycleEvent.seq)
        .where(
            LifecycleEvent.time < tx.now - keeping.events,
            LifecycleEvent.seq < newest,
            LifecycleEvent.seq <= counted,
        )
        .order_by(LifecycleEvent.seq)
        .limit(keeping.batch)
    )
    return tx.run(delete(LifecycleEvent).where(LifecycleEvent.seq.in_(some))).rowcount


def _operations(tx: Tx, keeping: Keeping) -> int:
    """With their moves, steps and confirmations. Of a living deployment only what a newer success has outdated."""
    ids = list(tx.session.scalars(_outdated(tx, keeping)))
    if not ids:
        return 0
    tx.run(delete(OperationStep).where(OperationStep.operation_id.in_(ids)))
    tx.run(delete(OperationInstance).where(OperationInstance.operation_id.in_(ids)))
    tx.run(delete(Confirmation).where(Confirmation.operation_id.in_(ids)))
    return tx.run(delete(OperationRow).where(OperationRow.id.in_(ids))).rowcount


def _outdated(tx: Tx, keeping: Keeping) -> Select[Any]:
    """A living instance's last change of each kind says what a retry repeats and whether it is half done."""
    newer = aliased(OperationRow)
    outdated = exists().where(
        newer.deployment_id == OperationRow.deployment_id,
        newer.kind == OperationRow.kind,
        newer.status == OperationStatus.SUCCEEDED,
        newer.created_at > OperationRow.created_at,
        newer.instance_ids.contains(OperationRow.instance_ids),
    )
    owned = or_(
        exists().where(Deployment.operation_id == OperationRow.id),
        exists().where(Instance.operation_id == OperationRow.id),
    )
    lives = exists().where(Deployment.id == OperationRow.deployment_id)
    return (
        select(OperationRow.id)
        .where(
            OperationRow.finished_at < tx.now - keeping.history,
            OperationRow.parked_until.is_(None),
            or_(~lives, and_(outdated, ~owned)),
        )
        .order_by(OperationRow.finished_at)
        .limit(keeping.batch)
    )


def _runs(tx: Tx, keeping: Keeping) -> int:
    some = (
        select(InstanceRun.run_id)
        .where(InstanceRun.terminated_at < tx.now - keeping.history)
        .order_by(InstanceRun.terminated_at)
        .limit(keeping.batch)
    )
    return tx.run(delete(InstanceRun).where(InstanceRun.run_id.in_(some))).rowcount


def _spans(tx: Tx, keeping: Keeping) -> int:
    old = select(SpanRow.trace_id, SpanRow.span_id).where(SpanRow.started_at < tx.now - keeping.traces)
    some = old.order_by(SpanRow.started_at).limit(keeping.batch).subquery()
    mine = and_(SpanRow.trace_id == some.c.trace_id, SpanRow.span_id == some.c.span_id)
    return tx.run(delete(SpanRow).where(mine)).rowcount


def _codes(tx: Tx, keeping: Keeping) -> int:
    """One-time codes that nobody can give any more."""
    old = select(OneTimeCode.digest).where(OneTimeCode.expires_at < tx.now - timedelta(hours=1))
    return tx.run(delete(OneTimeCode).where(OneTimeCode.digest.in_(old.limit(keeping.batch)))).rowcount


def _by_time(tx: Tx, name: str, column: str, kept: timedelta, most: int) -> int:
    """The oldest rows of a table with a single key."""
    table: Table | None = Base.metadata.tables.get(name)
    if table is None:
        return 0
    key: Column[str] = next(iter(table.primary_key.columns))
    old = select(key).where(table.c[column] < tx.now - kept).order_by(table.c[column]).limit(most)
    return tx.run(delete(table).where(key.in_(old))).rowcount

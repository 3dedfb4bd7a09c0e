"""Notifications to the operator's webhook: which events are told, in which form, and what became of each.

They are rows until delivered; `keeper.notifying` sends them. At least once: the receiver knows a repeat by its
`webhook-id`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import literal, select, update
from sqlalchemy.dialects.postgresql import insert

from db.models import Notification, OperationRow
from db.session import Tx
from domain.lifecycle import Status
from domain.operations import OperationStatus
from services.operations.acceptance import new_id
from services.views.common import iso

READY, FAILED, STUCK = "instance.ready", "instance.failed", "operation.stuck"
_BEGINNINGS = frozenset({Status.CREATING, Status.STARTING, Status.RESTARTING, Status.RESTORING})
_BACK_OFF = (5, 30, 120, 600, 1800, 3600, 3 * 3600, 6 * 3600, 12 * 3600)
_NEWS = timedelta(days=1)
"""What is older is no news: a receiver that is set later is not told the whole past."""
_CLAIM_SECONDS = 60
"""One that was taken to be sent is taken again after this: its sender may have died."""


def note_events(tx: Tx, rows: Iterable[Any]) -> None:
    """Write down what is to be told of these events."""
    oldest = tx.session.scalar(select(tx.now - _NEWS))
    _write(tx, [note for row in rows if row.time > oldest and (note := _of_event(row)) is not None])


def _of_event(row: Any) -> dict[str, Any] | None:
    if row.instance_id is None or row.to_status == row.from_status:
        return None
    if row.to_status == Status.RUNNING and row.from_status in _BEGINNINGS:
        kind = READY
    elif row.to_status == Status.ERROR:
        kind = FAILED
    else:
        return None
    data = {
        "instance_id": row.instance_id,
        "name": row.data.get("name"),
        "deployment_id": row.deployment_id,
        "operation_id": row.operation_id,
        "provider": row.provider,
        "status": row.to_status,
        "source": row.source,
        "code": (row.data.get("error") or {}).get("code"),
    }
    return _row(row.project, kind, str(row.seq), iso(row.time), data)


def note_stuck(tx: Tx) -> None:
    """Tell once of each operation that is past its deadline."""
    late = tx.session.execute(
        select(OperationRow)
        .where(
            OperationRow.status == OperationStatus.RUNNING,
            OperationRow.deadline_at < tx.now,
            ~select(literal(1))
            .where(Notification.type == STUCK, Notification.cause == OperationRow.id)
            .correlate(OperationRow)
            .exists(),
        )
        .limit(100)
    ).scalars()
    notes = []
    for row in late:
        data = {
            "operation_id": row.id,
            "kind": row.kind.value,
            "deployment_id": row.deployment_id,
            "instance_ids": row.instance_ids,
            "provider": row.provider,
            "deadline_at": iso(row.deadline_at),
        }
        notes.append(_row(row.project, STUCK, row.id, iso(row.deadline_at), data))
    _write(tx, notes)


def _row(project: str, kind: str, cause: str, at: str | None, data: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": new_id("msg"),
        "project": project,
        "type": kind,
        "cause": cause,
        "payload": {"type": kind, "timestamp": at, "data": {"project": project, **data}},
        "state": "pending",
    }


def _write(tx: Tx, notes: Sequence[dict[str, Any]]) -> None:
    if notes:
        now = tx.session.scalar(select(tx.now))
        rows = [{**note, "created_at": now, "next_at": now} for note in notes]
        tx.run(insert(Notification).on_conflict_do_nothing(), rows)


def due(tx: Tx, most: int) -> Sequence[Notification]:
    """Those to be sent now, taken for a while so that no other sender takes them too."""
    rows = tx.session.scalars(
        select(Notification)
        .where(Notification.state == "pending", Notification.next_at <= tx.now)
        .order_by(Notification.next_at)
        .limit(most)
        .with_for_update(skip_locked=True)
    ).all()
    if rows:
        tx.run(
            update(Notification)
            .where(Notification.id.in_([row.id for row in rows]))
            .values(next_at=tx.now + timedelta(seconds=_CLAIM_SECONDS))
        )
    return rows


def sent(tx: Tx, notification_id: str, fault: str | None, most: int) -> None:
    """It was delivered, or why not: then it is tried again later, and after `most` attempts given up."""
    row = tx.session.get(Notification, notification_id, with_for_update=True)
    if row is None or row.state != "pending":
        return
    attempts = row.attempts + 1
    values: dict[str, Any] = {"attempts": attempts, "last_error": fault}
    if fault is None:
        values |= {"state": "delivered", "finished_at": tx.now}
    elif attempts >= most:
        values |= {"state": "dead", "finished_at": tx.now}
    else:
        values["next_at"] = tx.now + timedelta(seconds=_BACK_OFF[min(attempts, len(_BACK_OFF)) - 1])
    tx.run(update(Notification).where(Notification.id == notification_id).values(**values))

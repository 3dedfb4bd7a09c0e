"""Maintenance: begun, planned and ended in single transactions, recorded like every other operation.

It begins when its time has come and ends by itself at `until`; the keeper calls `due` once a second. At the end
the status is what a look shows then, else what it was before.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import and_, delete, exists, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from db.models import Deployment, Instance, Maintenance, OperationRow
from db.session import Tx
from domain.changes import Member, check_legal
from domain.errors import FieldError, InvalidInput, OperationNotAllowed
from domain.lifecycle import Operation, Status, allowed_operations
from domain.operations import UNFINISHED, Source
from domain.specs import Accepted, Ask, Caller
from services.operations.acceptance import as_member, check_free, lock_deployment, replayed, standing
from services.operations.events import instance_event
from services.requests.edits import instance
from services.requests.single_changes import record
from services.views.common import iso


@dataclass(frozen=True)
class Window:
    """When, and why. `begins`: None is now. `until`: None is until somebody ends it."""

    begins: datetime | None = None
    until: datetime | None = None
    note: str | None = None


def begin(tx: Tx, ask: Ask, instance_id: str, window: Window | None = None) -> Accepted:
    """Begin maintenance now, or plan it; a plan replaces the one before. Raises `InvalidInput` for other times."""
    if (before := replayed(tx, ask)) is not None:
        return before
    window = window or Window()
    deployment, row = _locked(tx, ask, instance_id)
    check_free(tx, deployment.id)
    check_legal(_member(tx, row), Operation.MAINTENANCE_ON)
    now = tx.session.scalar(select(tx.now))
    assert now is not None
    later = window.begins is not None and window.begins > now
    begins = window.begins if window.begins is not None and later else now
    if window.until is not None and window.until <= begins:
        raise InvalidInput(FieldError("/params/until", "must be later than the begin, and not in the past"))
    _write(tx, ask, row, window, begins)
    if later:
        return _planned(tx, ask, deployment, row, window)
    return _begun(tx, ask, deployment, row)


def _write(tx: Tx, ask: Ask, row: Instance, window: Window, begins: datetime) -> None:
    values = {
        "begins_at": begins,
        "until": window.until,
        "actor": ask.caller.name,
        "note": window.note,
        "requested_at": tx.now,
        "began_at": None,
        "before": None,
    }
    statement = insert(Maintenance).values(instance_id=row.id, **values)
    tx.run(statement.on_conflict_do_update(index_elements=["instance_id"], set_=values))


def _planned(tx: Tx, ask: Ask, deployment: Deployment, row: Instance, window: Window) -> Accepted:
    operation_id = record(tx, ask, deployment, row, Operation.MAINTENANCE_ON, row.status)
    _told(tx, operation_id, row, "PLANNED", row.status, {"from": iso(window.begins), "until": iso(window.until)})
    return Accepted(operation_id, deployment.id)


def _begun(tx: Tx, ask: Ask, deployment: Deployment, row: Instance) -> Accepted:
    before = row.status
    operation_id = record(tx, ask, deployment, row, Operation.MAINTENANCE_ON, Status.MAINTENANCE)
    tx.run(
        update(Maintenance).where(Maintenance.instance_id == row.id).values(began_at=tx.now, before=before.value)
    )
    _change(tx, operation_id, row, Status.MAINTENANCE)
    return Accepted(operation_id, deployment.id)


def end(tx: Tx, ask: Ask, instance_id: str, *, seen: Status | None = None) -> Accepted:
    """End maintenance, or take back a planned one. The status is what was `seen` just now, else that before it."""
    if (before := replayed(tx, ask)) is not None:
        return before
    deployment, row = _locked(tx, ask, instance_id)
    check_free(tx, deployment.id)
    window = tx.session.get(Maintenance, row.id, populate_existing=True)
    planned = window is not None and window.began_at is None
    if not planned:
        check_legal(_member(tx, row), Operation.MAINTENANCE_OFF)
    known = Status(window.before) if window is not None and window.before else Status.STOPPED
    after = row.status if planned else (seen or known)
    tx.session.execute(delete(Maintenance).where(Maintenance.instance_id == row.id))
    operation_id = record(tx, ask, deployment, row, Operation.MAINTENANCE_OFF, after)
    if planned:
        _told(tx, operation_id, row, "WITHDRAWN", row.status, {})
    else:
        _change(tx, operation_id, row, after)
    return Accepted(operation_id, deployment.id)


def _change(tx: Tx, operation_id: str, row: Instance, after: Status) -> None:
    version = tx.run(
        update(Instance)
        .where(Instance.id == row.id)
        .values(status=after, operation_id=operation_id, version=Instance.version + 1, updated_at=tx.now)
        .returning(Instance.version)
    ).scalar_one()
    _told(tx, operation_id, row, "CONFIRMED", after, {}, version)


def _told(
    tx: Tx,
    operation_id: str,
    row: Instance,
    what: str,
    after: Status,
    data: dict[str, str | None],
    version: int | None = None,
) -> None:
    instance_event(
        tx,
        tx.session.get_one(OperationRow, operation_id),
        row.id,
        what,
        version=version,
        change=(row.status, after),
        cloud_instance_id=row.cloud_instance_id,
        data={"name": row.name, **data},
    )


def _locked(tx: Tx, ask: Ask, instance_id: str) -> tuple[Deployment, Instance]:
    row = instance(tx, ask, instance_id)
    deployment = lock_deployment(tx, row.deployment_id, ask.caller.project)
    tx.session.refresh(row, with_for_update=True)
    return deployment, row


def _member(tx: Tx, row: Instance) -> Member:
    return as_member(row, standing(tx.session, row.deployment_id))


@dataclass(frozen=True)
class Due:
    """One maintenance whose time has come. `over`: it is to end; else it is to begin."""

    instance_id: str
    provider: str
    host_id: str | None
    status: Status
    over: bool


_BEGINS_FROM = [status for status in Status if Operation.MAINTENANCE_ON in allowed_operations(status)]


def due(tx: Tx, limit: int = 100) -> list[Due]:
    """What has to begin or to end now, and can; in any order, so that what is refused for ever blocks nobody."""
    over = Maintenance.until < tx.now
    kept = and_(
        Maintenance.began_at.is_not(None),
        Instance.status != Status.MAINTENANCE,
        Instance.suspended_from.is_not_distinct_from(Status.MAINTENANCE.value),
    )
    begins = and_(
        Maintenance.began_at.is_(None),
        Maintenance.begins_at <= tx.now,
        Instance.status.in_(_BEGINS_FROM),
        Instance.termination_requested_at.is_(None),
    )
    busy = exists().where(
        OperationRow.deployment_id == Instance.deployment_id, OperationRow.status.in_(UNFINISHED)
    )
    rows = tx.session.execute(
        select(Instance.id, Instance.provider, Instance.host_id, Instance.status, over.label("over"))
        .join(Maintenance, Maintenance.instance_id == Instance.id)
        .where(or_(and_(over, ~kept), begins), ~busy)
        .order_by(func.random())
        .limit(limit)
    )
    return [Due(r.id, r.provider, r.host_id, r.status, bool(r.over)) for r in rows]


def carry_out(tx: Tx, found: Due, seen: Status | None = None) -> Accepted | None:
    """Begin or end what is due, as Berth itself; None when it is no longer, or cannot be now.

    A plan that could not begin before its end is dropped, and the history says so. What is suspended keeps its
    maintenance until the suspension is lifted.
    """
    row = tx.session.get(Instance, found.instance_id, populate_existing=True)
    window = tx.session.get(Maintenance, found.instance_id, populate_existing=True)
    if row is None or window is None:
        return None
    ask = Ask(Caller("berth", row.project, Source.BERTH))
    if found.over:
        if window.began_at is not None and row.status is not Status.MAINTENANCE:
            _left_otherwise(tx, row, window)
            return None
        return end(tx, ask, row.id, seen=seen)
    if Operation.MAINTENANCE_ON not in allowed_operations(row.status):
        return None
    deployment, row = _locked(tx, ask, found.instance_id)
    check_free(tx, deployment.id)
    try:
        check_legal(_member(tx, row), Operation.MAINTENANCE_ON)
    except OperationNotAllowed:
        return None
    return _begun(tx, ask, deployment, row)


def _left_otherwise(tx: Tx, row: Instance, window: Maintenance) -> None:
    """It has left maintenance in another way; a suspension may still lead back to it."""
    if row.suspended_from != Status.MAINTENANCE:
        tx.session.delete(window)

"""Which suspensions decide about a deployment: its own, and those of the one that its database server serves."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Select,
    bindparam,
    exists,
    literal,
    not_,
    or_,
    select,
    union_all,
)
from sqlalchemy.orm import Session, aliased

from db.models import BillingRecord, DatabaseAllocation, Deployment, Hold, Instance, OperationRow
from db.queries.pages import Record
from domain.billing import Subscription
from domain.databases import DatabaseMode
from domain.holds import HoldCause, Standing
from domain.lifecycle import BillingStatus, Status
from domain.operations import UNFINISHED, OperationStatus

_OF_SERVER = (DatabaseAllocation.mode == DatabaseMode.DEDICATED) & (
    DatabaseAllocation.deployment_id == Hold.deployment_id
)


def _nobody_lifts() -> ColumnElement[bool]:
    """An unsuspension starts the server before what it serves."""
    return not_(exists().where(OperationRow.id == Hold.lifting, OperationRow.status.in_(UNFINISHED)))


_PAID = (
    exists()
    .where(
        Hold.cause == HoldCause.BILLING,
        BillingRecord.deployment_id == Hold.deployment_id,
        BillingRecord.status == BillingStatus.PAID,
    )
    .label("paid")
)
_FAILED = (
    select(OperationRow.error["message"].astext)
    .where(OperationRow.id == Hold.lifting, OperationRow.status == OperationStatus.FAILED)
    .scalar_subquery()
    .label("failed")
)
_COLUMNS = (Hold.cause, Hold.actor, Hold.since, _PAID, _FAILED)


def _deciding() -> Select[Any]:
    ids: BindParameter[Any] = bindparam("ids", expanding=True)
    own = select(Hold.deployment_id.label("about"), *_COLUMNS, literal(None).label("whose")).where(
        Hold.deployment_id.in_(ids)
    )
    served = (
        select(DatabaseAllocation.server_deployment_id, *_COLUMNS, Deployment.name)
        .join(DatabaseAllocation, _OF_SERVER)
        .join(Deployment, Deployment.id == Hold.deployment_id)
        .where(DatabaseAllocation.server_deployment_id.in_(ids), _nobody_lifts())
    )
    both = union_all(own, served).subquery()
    return select(both).order_by(both.c.since)


_DECIDING = _deciding()
"""Built once: every acceptance asks it."""


def deciding(session: Session, deployment_ids: Collection[str]) -> dict[str, tuple[Standing, ...]]:
    """Of each deployment about which any decide, oldest first."""
    found: dict[str, tuple[Standing, ...]] = {}
    for row in session.execute(_DECIDING, {"ids": list(deployment_ids)}):
        hold = Standing(row.cause, row.actor, row.whose, row.paid, row.failed)
        found[row.about] = (*found.get(row.about, ()), hold)
    return found


def of_deployments(session: Session, deployment_ids: Collection[str]) -> Sequence[Record]:
    """The holds that stand on some deployments, oldest first; with `paid` and `failed` as in `Standing`."""
    query = select(Hold.deployment_id, *_COLUMNS, Hold.note, Hold.deletes_at)
    return session.execute(query.where(Hold.deployment_id.in_(deployment_ids)).order_by(Hold.since)).all()


def unlifted() -> Select[Any]:
    """Deployments that have paid, and of which the last try to lift billing's hold has failed."""
    return (
        select(Hold.deployment_id)
        .join(BillingRecord, BillingRecord.deployment_id == Hold.deployment_id)
        .join(OperationRow, OperationRow.id == Hold.lifting)
        .where(
            Hold.cause == HoldCause.BILLING,
            BillingRecord.status == BillingStatus.PAID,
            OperationRow.status == OperationStatus.FAILED,
        )
    )


def kept_back() -> Select[Any]:
    """Deployments whose subscription is cancelled, and which something keeps from being deleted."""
    return (
        select(BillingRecord.deployment_id)
        .join(Deployment, Deployment.id == BillingRecord.deployment_id)
        .where(
            BillingRecord.subscription == Subscription.CANCELLED,
            or_(Deployment.deletion_protection, BillingRecord.alert.is_not(None)),
        )
    )


def running_for_suspended() -> Select[Any]:
    """Deployments of database servers that run although all that they serve is suspended, and nobody works on."""
    member = aliased(Instance)
    busy = select(OperationRow.deployment_id).where(OperationRow.status.in_(UNFINISHED))
    return (
        select(DatabaseAllocation.server_deployment_id)
        .join(Hold, _OF_SERVER)
        .join(Instance, Instance.deployment_id == DatabaseAllocation.server_deployment_id)
        .where(
            Instance.status == Status.RUNNING,
            Instance.termination_requested_at.is_(None),
            _nobody_lifts(),
            ~exists().where(
                member.deployment_id == Hold.deployment_id,
                or_(member.status != Status.SUSPENDED, member.termination_requested_at.is_not(None)),
            ),
            Hold.deployment_id.not_in(busy),
            DatabaseAllocation.server_deployment_id.not_in(busy),
        )
        .distinct()
    )

"""What follows from what billing said, decided from the records under the deployment's lock. Called by the keeper.

Payment due → a hold of billing's; paid → it is lifted; a hold past its deadline, or a subscription that was
cancelled → delete. Each in one transaction that reads the records last, so that a payment that arrived a moment
ago counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import ColumnElement, and_, exists, func, or_, select, true, update

from db.models import BillingRecord, Deployment, Hold, Instance, OperationRow, WebhookDelivery
from db.session import Tx, interval
from domain.billing import Subscription
from domain.errors import Refused
from domain.holds import AGAIN_SECONDS, HoldCause
from domain.lifecycle import BillingStatus, Operation, Status
from domain.operations import UNFINISHED, OperationStatus, Reason, Source
from domain.specs import Accepted, Ask, Caller
from services.billing.messages import BILLING, record_of
from services.operations.acceptance import check_free
from services.operations.holds import Suspension, holds_of, tell
from services.requests.suspension import suspend, unsuspend
from services.requests.withdrawals import cancel, delete

_ROUND = 200


class Duty(StrEnum):
    """What the records demand."""

    SUSPEND = "suspend"
    UNSUSPEND = "unsuspend"
    DELETE_UNPAID = "delete_unpaid"
    DELETE_CANCELLED = "delete_cancelled"
    DELETE_HELD = "delete_held"
    """An administrator's hold is past its deadline."""


@dataclass(frozen=True)
class BillingRules:
    """What this installation says. `delete_after_seconds`: of an unpaid suspension; None: it is never deleted."""

    delete_after_seconds: float | None = None


_REASONS = {
    Duty.SUSPEND: Reason.PAYMENT_FAILED,
    Duty.UNSUSPEND: Reason.PAYMENT_SUCCEEDED,
    Duty.DELETE_UNPAID: Reason.PAYMENT_FAILED,
    Duty.DELETE_CANCELLED: Reason.SUBSCRIPTION_CANCELLED,
    Duty.DELETE_HELD: Reason.CLEANUP,
}


def candidates(tx: Tx) -> list[str]:
    """Deployments on which something may be due; those that were refused before come last."""
    unpaid = BillingRecord.status == BillingStatus.PAYMENT_REQUIRED
    own = exists().where(Hold.deployment_id == Deployment.id, Hold.cause == HoldCause.BILLING)
    late = exists().where(Hold.deployment_id == Deployment.id, Hold.deletes_at <= tx.now)
    query = (
        select(Deployment.id)
        .join(BillingRecord, BillingRecord.deployment_id == Deployment.id, isouter=True)
        .where(
            or_(
                BillingRecord.subscription == Subscription.CANCELLED,
                and_(unpaid, ~own),
                and_(unpaid, own, _not_suspended()),
                and_(~unpaid, own),
                late,
            ),
            ~exists().where(OperationRow.deployment_id == Deployment.id, OperationRow.status.in_(UNFINISHED)),
            ~_tried_lately(tx),
        )
        .order_by(BillingRecord.alert.is_not(None), func.random())
        .limit(_ROUND)
    )
    return list(tx.session.scalars(query))


def _not_suspended() -> ColumnElement[bool]:
    """A suspension failed, and billing's hold stands on something that is in error."""
    return exists().where(
        Instance.deployment_id == Deployment.id,
        Instance.status == Status.ERROR,
        Instance.termination_requested_at.is_(None),
    )


def _tried_lately(tx: Tx) -> ColumnElement[bool]:
    since = tx.now - interval(AGAIN_SECONDS)
    return exists().where(
        OperationRow.deployment_id == Deployment.id,
        OperationRow.source.in_([Source.BILLING, Source.BERTH]),
        OperationRow.kind.in_([Operation.SUSPEND, Operation.UNSUSPEND, Operation.DELETE]),
        or_(
            OperationRow.status == OperationStatus.FAILED,
            and_(OperationRow.status == OperationStatus.CANCELLED, OperationRow.kind != Operation.DELETE),
        ),
        OperationRow.finished_at > since,
    )


def carry_out(tx: Tx, deployment_id: str, rules: BillingRules) -> Accepted | None:
    """Accept what is due on one deployment, decided now; None when nothing is. Raises `Refused`."""
    deployment = tx.session.get(Deployment, deployment_id, with_for_update=True, populate_existing=True)
    if deployment is None:
        return None
    check_free(tx, deployment_id)
    duty = _due(tx, deployment)
    if duty is None:
        return None
    ask = Ask(_asker(deployment, duty), _REASONS[duty])
    if duty is Duty.SUSPEND:
        terms = Suspension(HoldCause.BILLING, "payment due", rules.delete_after_seconds)
        made = suspend(tx, ask, deployment_id, terms)
    elif duty is Duty.UNSUSPEND:
        made = unsuspend(tx, ask, deployment_id, HoldCause.BILLING)
    else:
        made = delete(tx, ask, deployment_id)
    _link(tx, deployment_id, duty, made)
    return made


def _asker(deployment: Deployment, duty: Duty) -> Caller:
    """Billing, unless it is a hold of somebody else that is past its deadline."""
    if duty is Duty.DELETE_HELD:
        return Caller("berth", deployment.project, Source.BERTH)
    return Caller(BILLING, deployment.project, Source.BILLING)


def _due(tx: Tx, deployment: Deployment) -> Duty | None:
    """The one thing that the records demand first."""
    record = tx.session.get(BillingRecord, deployment.id, populate_existing=True)
    holds = {hold.cause: hold for hold in holds_of(tx, deployment.id)}
    now = tx.session.scalar(select(tx.now))
    assert now is not None
    late = {cause for cause, hold in holds.items() if hold.deletes_at is not None and hold.deletes_at <= now}
    unpaid = record is not None and record.status is BillingStatus.PAYMENT_REQUIRED
    if record is not None and record.subscription is Subscription.CANCELLED:
        return Duty.DELETE_CANCELLED
    if HoldCause.BILLING in late and unpaid:
        return Duty.DELETE_UNPAID
    if HoldCause.ADMIN in late:
        return Duty.DELETE_HELD
    if unpaid:
        failed = HoldCause.BILLING in holds and _in_error(tx, deployment.id)
        return Duty.SUSPEND if HoldCause.BILLING not in holds or failed else None
    return Duty.UNSUSPEND if HoldCause.BILLING in holds else None


def _in_error(tx: Tx, deployment_id: str) -> bool:
    query = select(Instance.id).where(
        Instance.deployment_id == deployment_id,
        Instance.status == Status.ERROR,
        Instance.termination_requested_at.is_(None),
    )
    return tx.session.scalar(query.limit(1)) is not None


def _link(tx: Tx, deployment_id: str, duty: Duty, made: Accepted) -> None:
    """The delivery that brought it about shows the operation."""
    record = tx.session.get(BillingRecord, deployment_id)
    if record is None or duty is Duty.DELETE_HELD:
        return
    cancelled = duty is Duty.DELETE_CANCELLED
    delivery = record.subscription_delivery if cancelled else record.status_delivery
    tx.run(
        update(WebhookDelivery)
        .where(WebhookDelivery.id == delivery, WebhookDelivery.operation_id.is_(None))
        .values(operation_id=made.operation_id)
    )
    record.alert = None


def refused(tx: Tx, deployment_id: str, why: Refused) -> bool:
    """What the records demand cannot be: told once in the history; False when it was told already."""
    deployment = tx.session.get(Deployment, deployment_id, with_for_update=True, populate_existing=True)
    duty = _due(tx, deployment) if deployment is not None else None
    if deployment is None or duty is None:
        return False
    record = record_of(tx, deployment)
    if record.alert == why.message:
        return False
    record.alert = why.message
    what = "DEADLINE_REFUSED" if duty is Duty.DELETE_HELD else "BILLING_REFUSED"
    tell(tx, deployment, _asker(deployment, duty), what, {"code": why.code, "message": why.message})
    return True


def withdrawn(tx: Tx, operation_id: str) -> bool:
    """Whether this is a delete that billing no longer wants: then it is cancelled, as the last before it begins.

    Decided behind the deployment's lock, like what billing says: any payment that was taken before counts.
    """
    asked = select(OperationRow.deployment_id).where(
        OperationRow.id == operation_id,
        OperationRow.kind == Operation.DELETE,
        OperationRow.source == Source.BILLING,
        OperationRow.status == OperationStatus.PENDING,
    )
    deployment_id = tx.session.scalar(asked)
    if deployment_id is None:
        return False
    tx.session.get(Deployment, deployment_id, with_for_update=True)
    return bool(take_back(tx, OperationRow.id == operation_id))


def take_back(tx: Tx, only: ColumnElement[bool] | None = None) -> list[str]:
    """Withdraw deletes that billing asked for, that have not begun, and that it no longer wants."""
    paid = and_(
        OperationRow.reason == Reason.PAYMENT_FAILED, BillingRecord.status != BillingStatus.PAYMENT_REQUIRED
    )
    active = and_(
        OperationRow.reason == Reason.SUBSCRIPTION_CANCELLED, BillingRecord.subscription == Subscription.ACTIVE
    )
    rows = tx.session.execute(
        select(OperationRow.id, OperationRow.project)
        .join(BillingRecord, BillingRecord.deployment_id == OperationRow.deployment_id)
        .where(
            OperationRow.kind == Operation.DELETE,
            OperationRow.source == Source.BILLING,
            OperationRow.status == OperationStatus.PENDING,
            or_(paid, active),
            true() if only is None else only,
        )
        .limit(_ROUND)
    ).all()
    for row in rows:
        cancel(tx, Ask(Caller(BILLING, row.project, Source.BILLING)), row.id)
    return [row.id for row in rows]

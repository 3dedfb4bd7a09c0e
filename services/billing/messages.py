"""What billing says: stored once under its id, judged by its own time, written as `billing_status`. Nothing else.

Level-triggered: a delivery only changes what is known. The keeper (`services.billing.duties`) suspends, unsuspends
or deletes when the records disagree with it and nobody works on the deployment.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, select, update
from sqlalchemy.dialects.postgresql import insert

from db.models import BillingRecord, Deployment, Instance, WebhookDelivery
from db.session import Tx
from domain.billing import (
    BILLING_AFTER,
    SUBSCRIPTION_AFTER,
    TOLERANCE,
    EventType,
    Fact,
    SubjectKind,
    Subscription,
    Verdict,
    concerns,
    event_type,
    stands_over,
)
from domain.errors import NotFound
from domain.holds import HoldCause
from domain.lifecycle import BillingStatus
from domain.operations import Reason, Source
from domain.specs import Caller
from services.operations.acceptance import new_id
from services.operations.holds import renew, tell, touch_members

BILLING = "billing"
REASON = {
    EventType.PAYMENT_FAILED: Reason.PAYMENT_FAILED,
    EventType.PAYMENT_SUCCEEDED: Reason.PAYMENT_SUCCEEDED,
    EventType.SUBSCRIPTION_CANCELLED: Reason.SUBSCRIPTION_CANCELLED,
    EventType.SUBSCRIPTION_ACTIVATED: None,
}


@dataclass(frozen=True)
class Message:
    """A verified delivery. `type` is as it was said; one that means nothing here is kept and ignored."""

    webhook_id: str
    type: str
    occurred_at: datetime
    kind: SubjectKind
    subject: str
    project: str | None = None


@dataclass(frozen=True)
class Judgement:
    """What became of a delivery."""

    id: str
    verdict: Verdict
    detail: str | None
    duplicate: bool = False


def receive(tx: Tx, message: Message) -> Judgement:
    """Store the delivery and apply it, once. A repeat gets the first answer; a refused one is judged anew."""
    delivery_id = tx.session.scalar(
        insert(WebhookDelivery)
        .values(
            id=new_id("whd"),
            webhook_id=message.webhook_id,
            type=message.type,
            subject_kind=message.kind,
            subject=message.subject,
            project=message.project,
            occurred_at=message.occurred_at,
            received_at=tx.now,
            verdict=Verdict.REFUSED,
        )
        .on_conflict_do_nothing(index_elements=["webhook_id"])
        .returning(WebhookDelivery.id)
    )
    query = select(WebhookDelivery).where(WebhookDelivery.webhook_id == message.webhook_id).with_for_update()
    row = tx.session.scalars(query).one()
    if delivery_id is None and row.verdict is not Verdict.REFUSED:
        return Judgement(row.id, row.verdict, row.detail, duplicate=True)
    return _judged(tx, row)


def replay(tx: Tx, delivery_id: str) -> Judgement:
    """Judge a stored delivery again, by the time that it had. Raises `NotFound`."""
    row = tx.session.get(WebhookDelivery, delivery_id, with_for_update=True)
    if row is None:
        raise NotFound("delivery", delivery_id)
    return _judged(tx, row)


def _judged(tx: Tx, row: WebhookDelivery) -> Judgement:
    row.verdict, row.detail = _judge(tx, row)
    tx.session.flush()
    return Judgement(row.id, row.verdict, row.detail)


def _judge(tx: Tx, row: WebhookDelivery) -> tuple[Verdict, str | None]:
    now = tx.session.scalar(select(tx.now))
    assert now is not None
    if row.occurred_at > now + TOLERANCE:
        return Verdict.REFUSED, "its time is more than 5 minutes ahead"
    known = event_type(row.type)
    if known is None:
        return Verdict.IGNORED, f"nothing follows from {row.type}; known: {', '.join(EventType)}"
    if row.subject_kind is None or row.subject is None:
        return Verdict.IGNORED, "it names nobody"
    found = tx.session.scalars(_about(row.subject_kind, row.subject, row.project)).all()
    if not found:
        return Verdict.IGNORED, f"no living deployment belongs to {row.subject_kind} {row.subject}"
    fact = Fact(known, row.occurred_at)
    applied = [d.name for d in found if concerns(fact, d.created_at) and _apply(tx, d, fact, row.id)]
    if not applied:
        return Verdict.SUPERSEDED, "something newer is known"
    return Verdict.APPLIED, ", ".join(applied[:20])


def _about(kind: SubjectKind, subject: str, project: str | None) -> Select[Deployment]:
    """The living deployments, locked in the order of their ids. A name means one of `project`, or of `default`."""
    query = select(Deployment).order_by(Deployment.id).with_for_update(of=Deployment)
    query = query.execution_options(populate_existing=True)
    if kind is SubjectKind.CUSTOMER:
        query = query.where(Deployment.customer_id == subject)
        return query if project is None else query.where(Deployment.project == project)
    if kind is SubjectKind.DEPLOYMENT:
        by_id, id_column, name_column = subject.startswith("dep_"), Deployment.id, Deployment.name
    else:
        query = query.join(Instance, Instance.deployment_id == Deployment.id)
        by_id, id_column, name_column = subject.startswith("ins_"), Instance.id, Instance.name
    if by_id:
        query = query.where(id_column == subject)
        return query if project is None else query.where(Deployment.project == project)
    return query.where(name_column == subject, Deployment.project == (project or "default"))


def _apply(tx: Tx, deployment: Deployment, fact: Fact, delivery_id: str) -> bool:
    """Write what it says unless something newer stands; the delivery that stands may be applied again."""
    record = record_of(tx, deployment)
    known_at = record.status_at if fact.type.payment else record.subscription_at
    known_id = record.status_delivery if fact.type.payment else record.subscription_delivery
    if known_id != delivery_id and not stands_over(fact, known_at):
        return False
    record.alert = None
    caller = Caller(BILLING, deployment.project, Source.BILLING)
    if fact.type.payment:
        before, record.status = record.status, BILLING_AFTER[fact.type]
        record.status_at, record.status_delivery = fact.occurred_at, delivery_id
        if record.status is BillingStatus.PAYMENT_REQUIRED and before is not record.status:
            renew(tx, deployment, caller, HoldCause.BILLING)
        _show(tx, deployment, record.status, REASON[fact.type])
    else:
        record.subscription, record.subscription_at = SUBSCRIPTION_AFTER[fact.type], fact.occurred_at
        record.subscription_delivery = delivery_id
        data = {"subscription": record.subscription, "delivery": delivery_id}
        tell(tx, deployment, caller, "SUBSCRIPTION_CHANGED", data)
        _show_subscription(tx, deployment, caller)
    return True


def _show_subscription(tx: Tx, deployment: Deployment, caller: Caller) -> None:
    """New versions: an edit of what was read before must not lift protection from what was cancelled since."""
    deployment.version += 1
    tx.session.flush()
    touch_members(tx, deployment, caller)


def record_of(tx: Tx, deployment: Deployment) -> BillingRecord:
    """What billing has said of a deployment that the caller has locked; a trial, where it has said nothing."""
    found = tx.session.get(BillingRecord, deployment.id, populate_existing=True)
    if found is None:
        found = BillingRecord(
            deployment_id=deployment.id, status=BillingStatus.TRIAL, subscription=Subscription.ACTIVE
        )
        tx.session.add(found)
    return found


def _show(tx: Tx, deployment: Deployment, status: BillingStatus, reason: Reason | None) -> None:
    """Every member shows the deployment's billing status."""
    rows: Sequence[Instance] = tx.session.scalars(
        select(Instance)
        .where(Instance.deployment_id == deployment.id, Instance.billing_status != status)
        .order_by(Instance.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).all()
    said = {"changed_by": BILLING, "changed_at": tx.now}
    for row in rows:
        before = row.billing_status
        version = tx.run(
            update(Instance)
            .where(Instance.id == row.id)
            .values(billing_status=status, version=Instance.version + 1, updated_at=tx.now, **said)
            .returning(Instance.version)
        ).scalar()
        tx.emit(
            project=row.project,
            event_type="BILLING_CHANGED",
            instance_id=row.id,
            deployment_id=deployment.id,
            operation_id=None,
            version=version,
            status=row.status,
            from_status=row.status,
            to_status=row.status,
            source=Source.BILLING,
            reason=reason,
            confirmation_method=None,
            actor=BILLING,
            cloud_instance_id=row.cloud_instance_id,
            data={"name": row.name, "billing_status": status, "before": before},
        )

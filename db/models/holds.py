"""What keeps a deployment from running or from going: holds, maintenance, and what billing has said."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from db.models.base import Base, enum_column, sql_list
from domain.billing import SubjectKind, Subscription, Verdict
from domain.holds import HoldCause
from domain.lifecycle import BillingStatus, Status


class Hold(Base):
    """A suspension that stands. One of each cause; it goes when its owner's unsuspension has succeeded."""

    __tablename__ = "holds"
    deployment_id: Mapped[str] = mapped_column(ForeignKey("deployments.id", ondelete="CASCADE"), primary_key=True)
    cause: Mapped[HoldCause] = mapped_column(enum_column(HoldCause, "cause"), primary_key=True)
    actor: Mapped[str]
    since: Mapped[datetime]
    note: Mapped[str | None]
    deletes_at: Mapped[datetime | None]
    """When the deployment is deleted unless the hold is lifted before."""
    lifting: Mapped[str | None]
    """The operation that was asked to lift it. It stands until that one has succeeded, and is not enforced."""

    __table_args__ = (Index("ix_holds_deadline", "deletes_at", postgresql_where=text("deletes_at is not null")),)


class Maintenance(Base):
    """One instance's maintenance, planned (`began_at` is null) or under way."""

    __tablename__ = "maintenance"
    instance_id: Mapped[str] = mapped_column(
        ForeignKey("instances_runtime.id", ondelete="CASCADE"), primary_key=True
    )
    begins_at: Mapped[datetime]
    until: Mapped[datetime | None]
    actor: Mapped[str]
    note: Mapped[str | None]
    requested_at: Mapped[datetime]
    began_at: Mapped[datetime | None]
    before: Mapped[str | None]
    """The status when it began."""

    __table_args__ = (
        CheckConstraint("until is null or until > begins_at", name="ends_after_it_begins"),
        CheckConstraint("(began_at is null) = (before is null)", name="begun_from_a_status"),
        CheckConstraint(f"before in ({sql_list([Status.RUNNING, Status.STOPPED])})", name="before"),
    )


class BillingRecord(Base):
    """What billing said last of one deployment, each with its own time. No row: nothing yet, a trial."""

    __tablename__ = "billing_records"
    deployment_id: Mapped[str] = mapped_column(ForeignKey("deployments.id", ondelete="CASCADE"), primary_key=True)
    status: Mapped[BillingStatus] = mapped_column(enum_column(BillingStatus, "billing_status"))
    status_at: Mapped[datetime | None]
    status_delivery: Mapped[str | None]
    subscription: Mapped[Subscription] = mapped_column(enum_column(Subscription, "subscription"))
    subscription_at: Mapped[datetime | None]
    subscription_delivery: Mapped[str | None]
    alert: Mapped[str | None]
    """What billing wants and cannot have, as it was told last."""


class WebhookDelivery(Base):
    """One delivery of billing's, with what became of it. Only verified ones are kept; never their bodies."""

    __tablename__ = "webhook_deliveries"
    id: Mapped[str] = mapped_column(primary_key=True)
    webhook_id: Mapped[str] = mapped_column(unique=True)
    type: Mapped[str]
    subject_kind: Mapped[SubjectKind | None] = mapped_column(enum_column(SubjectKind, "subject_kind"))
    subject: Mapped[str | None]
    project: Mapped[str | None]
    """Where the subject was said to be; null: it was not said."""
    occurred_at: Mapped[datetime]
    received_at: Mapped[datetime]
    verdict: Mapped[Verdict] = mapped_column(enum_column(Verdict, "verdict"))
    detail: Mapped[str | None]
    operation_id: Mapped[str | None]
    """What it led to, once that was accepted."""

    __table_args__ = (Index("ix_deliveries_page", "received_at", "id"),)

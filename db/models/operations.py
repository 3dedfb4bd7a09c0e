"""Durable changes: operations, their moves and steps, and confirmations from outside."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    ForeignKey,
    Index,
    Integer,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from db.models.base import Base, enum_column
from domain.lifecycle import Operation
from domain.operations import OperationStatus, StepStatus


class OperationRow(Base):
    """One durable change. Kept for ever: history outlives the deployment, so there is no foreign key."""

    __tablename__ = "operations"
    id: Mapped[str] = mapped_column(primary_key=True)
    project: Mapped[str]
    kind: Mapped[Operation] = mapped_column(enum_column(Operation, "kind"))
    deployment_id: Mapped[str]
    deployment_name: Mapped[str]
    blueprint: Mapped[str]
    provider: Mapped[str]
    instance_ids: Mapped[list[str]]
    status: Mapped[OperationStatus] = mapped_column(enum_column(OperationStatus, "operation_status"))
    phase: Mapped[str]
    changed: Mapped[bool] = mapped_column(Boolean, server_default=text("true"))
    attempt: Mapped[int] = mapped_column(Integer, server_default="1")
    retry_of: Mapped[str | None]
    pre_empted_by: Mapped[str | None]
    forced: Mapped[bool] = mapped_column(Boolean, server_default=text("false"))
    """What it pre-empted is ended without a grace."""
    cancel_requested_at: Mapped[datetime | None]
    parked_until: Mapped[datetime | None]
    actor: Mapped[str]
    source: Mapped[str]
    reason: Mapped[str | None]
    spec: Mapped[dict[str, Any]]
    """What the operation brings about: `{params, resources}` for create and modify."""
    plan: Mapped[dict[str, Any] | None]
    """What Plan decided; a repeat of Plan returns it."""
    error: Mapped[dict[str, Any] | None]
    workflow_id: Mapped[str]
    run_id: Mapped[str | None]
    original_run_id: Mapped[str | None]
    namespace_id: Mapped[str | None]
    slow_at: Mapped[datetime | None]
    deadline_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    idempotency_scope: Mapped[str | None]
    idempotency_key: Mapped[str | None]
    idempotency_fingerprint: Mapped[str | None]
    traceparent: Mapped[str | None]
    """Where the operation was asked for, in W3C's form: everything done for it joins that trace."""

    __table_args__ = (
        Index(
            "uq_operations_one_holder",
            "deployment_id",
            unique=True,
            postgresql_where=text("status in ('pending', 'running') and pre_empted_by is null"),
        ),
        Index(
            "uq_operations_idempotency",
            "idempotency_scope",
            "idempotency_key",
            unique=True,
            postgresql_where=text("idempotency_key is not null"),
        ),
        Index("ix_operations_unfinished", "created_at", postgresql_where=text("status in ('pending', 'running')")),
        Index("ix_operations_parked", "parked_until", postgresql_where=text("parked_until is not null")),
        Index("ix_operations_closing", "id", postgresql_where=text("phase = 'closing'")),
        Index("ix_operations_page", "project", "created_at", "id"),
        Index("ix_operations_status", "project", "status"),
        Index("ix_operations_deployment", "deployment_id", "created_at"),
        Index("ix_operations_instances", "instance_ids", postgresql_using="gin"),
        Index("ix_operations_finished", "finished_at", postgresql_where=text("finished_at is not null")),
        Index("ix_operations_keyed", "created_at", postgresql_where=text("idempotency_key is not null")),
        Index("ix_operations_usual", "kind", "blueprint", "provider", "finished_at"),
        CheckConstraint(
            "(finished_at is not null) = (status in ('succeeded', 'failed', 'cancelled'))", name="final_has_end"
        ),
        CheckConstraint("(status = 'failed') <= (error is not null)", name="failed_has_error"),
    )


class OperationInstance(Base):
    """The move of one instance in one operation, fixed at acceptance."""

    __tablename__ = "operation_instances"
    operation_id: Mapped[str] = mapped_column(ForeignKey("operations.id"), primary_key=True)
    instance_id: Mapped[str] = mapped_column(primary_key=True)
    instance_name: Mapped[str]
    verb: Mapped[str]
    before: Mapped[str | None]
    during: Mapped[str | None]
    done: Mapped[str]
    failed: Mapped[str]
    cancelled: Mapped[str]
    outcome: Mapped[str | None]
    """`confirmed` or `failed`, once its own step has ended."""
    error: Mapped[dict[str, Any] | None]


class OperationStep(Base):
    """One step as people see it, with every attempt."""

    __tablename__ = "operation_steps"
    operation_id: Mapped[str] = mapped_column(ForeignKey("operations.id"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    title: Mapped[str]
    instance_id: Mapped[str | None]
    status: Mapped[StepStatus] = mapped_column(enum_column(StepStatus, "step_status"))
    message: Mapped[str | None]
    attempts: Mapped[list[dict[str, Any]]]

    __table_args__ = (UniqueConstraint("operation_id", "name", "instance_id"),)


class Confirmation(Base):
    """Evidence from outside. The first verified one wins; repeats meet the key."""

    __tablename__ = "confirmations"
    operation_id: Mapped[str] = mapped_column(primary_key=True)
    instance_id: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    generation: Mapped[int] = mapped_column(primary_key=True)
    source: Mapped[str]
    actor: Mapped[str]
    received_at: Mapped[datetime]

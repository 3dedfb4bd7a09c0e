"""Every table, CHECK and index. What the database can guarantee, it guarantees.

Enum CHECKs are generated from the enums in `domain`, so that SQL and Python cannot drift apart. The migrations
build the same tables; a test compares the two.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    DateTime,
    Enum,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from domain.lifecycle import IN_PROGRESS, BillingStatus, Operation, ProvisioningStatus, Role, Status
from domain.operations import ErrorOrigin, OperationStatus, RestartPolicy, StepStatus

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}


def sql_list(values: Any) -> str:
    """`values` as an SQL list of literals, sorted, for CHECKs and index predicates."""
    return ", ".join(f"'{value}'" for value in sorted(values))


def enum_column(enum: type[StrEnum], name: str) -> Enum:
    """Text with a CHECK from the enum. The length is fixed so that adding a longer word needs no rewrite."""
    return Enum(
        enum,
        name=name,
        native_enum=False,
        create_constraint=True,
        length=32,
        values_callable=lambda e: [m.value for m in e],
    )


class Base(DeclarativeBase):
    """Common conventions: timestamptz, JSONB, named constraints."""

    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy's own declarative form
        datetime: DateTime(timezone=True),
        dict[str, Any]: JSONB(none_as_null=True),
        list[dict[str, Any]]: JSONB(none_as_null=True),
        list[str]: ARRAY(Text),
        str: Text,
    }


class Meta(Base):
    """Facts of this installation: server id, cursor epoch, Temporal namespace id, key canary."""

    __tablename__ = "meta"
    key: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[str]


class Host(Base):
    """A machine that can hold instances; its agent polls the queue `host-<id>`."""

    __tablename__ = "hosts"
    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    providers: Mapped[list[str]]
    boot_id: Mapped[str | None]
    cordoned: Mapped[bool] = mapped_column(Boolean, server_default=text("false"))
    first_seen_at: Mapped[datetime]
    last_seen_at: Mapped[datetime]


class Deployment(Base):
    """The desired spec, and the fence: `operation_id` with that operation's status."""

    __tablename__ = "deployments"
    id: Mapped[str] = mapped_column(primary_key=True)
    project: Mapped[str]
    name: Mapped[str]
    blueprint: Mapped[str]
    provider: Mapped[str]
    host_id: Mapped[str | None]
    params: Mapped[dict[str, Any]]
    resources: Mapped[dict[str, Any]]
    members: Mapped[int]
    labels: Mapped[dict[str, Any]]
    restart_policy: Mapped[RestartPolicy] = mapped_column(enum_column(RestartPolicy, "restart_policy"))
    timeouts: Mapped[dict[str, Any]]
    database: Mapped[dict[str, Any] | None]
    generation: Mapped[int] = mapped_column(Integer, server_default="1")
    version: Mapped[int] = mapped_column(Integer, server_default="1")
    operation_id: Mapped[str | None]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]

    __table_args__ = (
        UniqueConstraint("project", "name"),
        CheckConstraint("members >= 1", name="members"),
        Index("ix_deployments_page", "project", "created_at", "id"),
    )


class Instance(Base):
    """A live instance. The row goes only after a delete succeeded; its life stays in `instance_runs`."""

    __tablename__ = "instances_runtime"
    id: Mapped[str] = mapped_column(primary_key=True)
    deployment_id: Mapped[str] = mapped_column(ForeignKey("deployments.id"))
    project: Mapped[str]
    name: Mapped[str]
    ordinal: Mapped[int]
    role: Mapped[Role] = mapped_column(enum_column(Role, "role"))
    blueprint: Mapped[str]
    provider: Mapped[str]
    host_id: Mapped[str | None]
    labels: Mapped[dict[str, Any]]
    status: Mapped[Status] = mapped_column(enum_column(Status, "status"))
    provisioning_status: Mapped[ProvisioningStatus] = mapped_column(
        enum_column(ProvisioningStatus, "provisioning_status")
    )
    billing_status: Mapped[BillingStatus] = mapped_column(enum_column(BillingStatus, "billing_status"))
    provider_state: Mapped[str | None]
    error_code: Mapped[str | None]
    error_message: Mapped[str | None]
    error_origin: Mapped[ErrorOrigin | None] = mapped_column(enum_column(ErrorOrigin, "error_origin"))
    endpoint: Mapped[str | None]
    port: Mapped[int | None]
    port_fixed: Mapped[bool] = mapped_column(Boolean, server_default=text("false"))
    """True once the instance has run on it, or when the user chose it: then it is kept for life."""
    object_generation: Mapped[int] = mapped_column(Integer, server_default="1")
    applied_spec: Mapped[dict[str, Any] | None]
    customer_id: Mapped[str | None]
    db_type: Mapped[str | None]
    db_server_id: Mapped[str | None]
    cloud_instance_id: Mapped[str | None]
    instance_type: Mapped[str | None]
    availability_zone: Mapped[str | None]
    launch_requested_at: Mapped[datetime | None]
    launch_confirmed_at: Mapped[datetime | None]
    launch_duration_seconds: Mapped[float | None] = mapped_column(Float)
    termination_requested_at: Mapped[datetime | None]
    termination_confirmed_at: Mapped[datetime | None]
    termination_duration_seconds: Mapped[float | None] = mapped_column(Float)
    confirmation_method: Mapped[str | None]
    restarts: Mapped[int] = mapped_column(Integer, server_default="0")
    """Starts in a row by the restart policy; any other operation resets it."""
    version: Mapped[int] = mapped_column(Integer, server_default="1")
    operation_id: Mapped[str | None]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]

    __table_args__ = (
        UniqueConstraint("project", "name"),
        UniqueConstraint("deployment_id", "ordinal"),
        CheckConstraint(
            f"status not in ({sql_list(IN_PROGRESS)}) or operation_id is not null", name="in_progress_has_owner"
        ),
        CheckConstraint("(status = 'error') <= (error_message is not null)", name="error_has_cause"),
        CheckConstraint("status <> 'terminated'", name="terminated_has_no_row"),
        Index(
            "uq_instances_one_primary",
            "deployment_id",
            unique=True,
            postgresql_where=text("role = 'primary'"),
        ),
        Index(
            "uq_instances_host_port",
            "host_id",
            "port",
            unique=True,
            postgresql_where=text("port is not null"),
        ),
        Index("ix_instances_page", "project", "created_at", "id"),
        Index("ix_instances_status", "project", "status"),
        Index("ix_instances_status_launch", "status", "launch_requested_at"),
        Index("ix_instances_cloud", "cloud_instance_id"),
        Index("ix_instances_deployment", "deployment_id"),
    )


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


class LifecycleEvent(Base):
    """Append-only. `seq` follows commit order: it is drawn under one lock as the last statement."""

    __tablename__ = "instance_lifecycle_events"
    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    project: Mapped[str]
    event_type: Mapped[str]
    instance_id: Mapped[str | None]
    deployment_id: Mapped[str]
    operation_id: Mapped[str | None]
    version: Mapped[int | None]
    status: Mapped[str | None]
    from_status: Mapped[str | None]
    to_status: Mapped[str | None]
    source: Mapped[str]
    reason: Mapped[str | None]
    confirmation_method: Mapped[str | None]
    actor: Mapped[str]
    cloud_instance_id: Mapped[str | None]
    time: Mapped[datetime]
    data: Mapped[dict[str, Any]]

    __table_args__ = (
        Index("ix_events_instance", "instance_id", "seq"),
        Index("ix_events_deployment", "deployment_id", "seq"),
        Index("ix_events_type", "event_type", "seq"),
        Index("ix_events_time", "time"),
    )


class InstanceRun(Base):
    """A finished life, kept for ever."""

    __tablename__ = "instance_runs"
    run_id: Mapped[str] = mapped_column(primary_key=True)
    instance_id: Mapped[str] = mapped_column(unique=True)
    project: Mapped[str]
    name: Mapped[str]
    deployment_id: Mapped[str]
    blueprint: Mapped[str]
    provider: Mapped[str]
    host_id: Mapped[str | None]
    cloud_instance_id: Mapped[str | None]
    instance_type: Mapped[str | None]
    availability_zone: Mapped[str | None]
    created_at: Mapped[datetime]
    launched_at: Mapped[datetime | None]
    terminated_at: Mapped[datetime]
    termination_confirmed_at: Mapped[datetime | None]
    launch_duration_seconds: Mapped[float | None] = mapped_column(Float)
    termination_duration_seconds: Mapped[float | None] = mapped_column(Float)
    total_runtime_seconds: Mapped[float | None] = mapped_column(Float)
    termination_reason: Mapped[str | None]
    confirmation_method: Mapped[str | None]
    actor: Mapped[str]
    operation_id: Mapped[str | None]

    __table_args__ = (
        Index("ix_runs_instance", "instance_id"),
        Index("ix_runs_name", "project", "name"),
        Index("ix_runs_launched", "launched_at"),
        Index("ix_runs_terminated", "project", "terminated_at", "run_id"),
    )


class Secret(Base):
    """An encrypted secret of one instance. Goes with the instance."""

    __tablename__ = "secrets"
    instance_id: Mapped[str] = mapped_column(
        ForeignKey("instances_runtime.id", ondelete="CASCADE"), primary_key=True
    )
    name: Mapped[str] = mapped_column(primary_key=True)
    ciphertext: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime]


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

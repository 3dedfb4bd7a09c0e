"""What lives now: hosts, deployments with their fence, instances, secrets, allocated databases."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from db.models.base import Base, enum_column, sql_list
from domain.databases import AllocationState, DatabaseMode, Purpose
from domain.holds import SUSPENDED_FROM
from domain.lifecycle import IN_PROGRESS, BillingStatus, Health, ProvisioningStatus, Role, Status
from domain.operations import ErrorOrigin, RestartPolicy


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


class ProviderPlace(Base):
    """One provider as one worker finds it. `host_id` is the worker's, also where it is bound to no host."""

    __tablename__ = "provider_places"
    provider: Mapped[str] = mapped_column(primary_key=True)
    host_id: Mapped[str] = mapped_column(primary_key=True)
    agent: Mapped[str]
    configured: Mapped[bool] = mapped_column(Boolean)
    available: Mapped[bool] = mapped_column(Boolean)
    reason: Mapped[str | None]
    identity: Mapped[str | None]
    checked_at: Mapped[datetime]


class Observer(Base):
    """Who watches one provider, or one provider on one host. A new holder raises `epoch`; an older one is late."""

    __tablename__ = "observers"
    scope: Mapped[str] = mapped_column(primary_key=True)
    holder: Mapped[str]
    epoch: Mapped[int]
    taken_at: Mapped[datetime]
    renewed_at: Mapped[datetime]
    streaming: Mapped[bool] = mapped_column(Boolean, server_default=text("false"))
    """Whether the provider tells of changes by itself at the moment."""
    last_full_at: Mapped[datetime | None]
    """When everything was last compared with what the provider holds."""
    watched: Mapped[int] = mapped_column(Integer, server_default="0")
    orphans: Mapped[int] = mapped_column(Integer, server_default="0")
    """Objects in the last listing that belong to no living instance."""
    trouble: Mapped[str | None]
    """Why nothing can be seen at the moment."""


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
    secret_revisions: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    """Names of the secret parameters that are set, each with the generation at which it was set last."""
    customer_id: Mapped[str | None]
    generation: Mapped[int] = mapped_column(Integer, server_default="1")
    version: Mapped[int] = mapped_column(Integer, server_default="1")
    operation_id: Mapped[str | None]
    deletion_protection: Mapped[bool] = mapped_column(Boolean, server_default=text("false"))
    purpose: Mapped[str | None]
    """What Berth itself made it for: a database server of one deployment, or of a whole project."""
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]

    __table_args__ = (
        UniqueConstraint("project", "name"),
        CheckConstraint("members >= 1", name="members"),
        CheckConstraint(f"purpose in ({sql_list(Purpose)})", name="purpose"),
        Index(
            "uq_deployments_shared_database",
            "project",
            "provider",
            text("coalesce(host_id, '')"),
            unique=True,
            postgresql_where=text("purpose = 'shared-database'"),
        ),
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
    health: Mapped[Health] = mapped_column(enum_column(Health, "health"), server_default=text("'unknown'"))
    """As last observed. Readers ask `domain.health.shown`, which knows when it is too old to be believed."""
    health_checked_at: Mapped[datetime | None]
    health_reason: Mapped[str | None]
    drift: Mapped[str | None]
    """What was seen and differs from the status that is kept; it has been told once."""
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
    confirmation_source: Mapped[str | None]
    suspended_from: Mapped[str | None]
    """What it was when its suspension began; until it has ended."""
    restarts: Mapped[int] = mapped_column(Integer, server_default="0")
    """Starts in a row by the restart policy; any other operation resets it."""
    version: Mapped[int] = mapped_column(Integer, server_default="1")
    operation_id: Mapped[str | None]
    changed_by: Mapped[str] = mapped_column(server_default=text("'berth'"))
    """Who asked for a change of it last, or Berth itself where a look has shown another status."""
    changed_at: Mapped[datetime] = mapped_column(server_default=text("clock_timestamp()"))
    """When that was. `updated_at` is the last write of anything, health and steps among it."""
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
        CheckConstraint(f"suspended_from in ({sql_list(SUSPENDED_FROM)})", name="suspended_from"),
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
        Index("ix_instances_status_id", "project", "status", "id"),
        Index("ix_instances_updated", "project", "updated_at", "id"),
        Index("ix_instances_status_launch", "status", "launch_requested_at"),
        Index("ix_instances_cloud", "cloud_instance_id"),
        Index("ix_instances_deployment", "deployment_id"),
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


class DatabaseAllocation(Base):
    """The database of one deployment. It survives every failure of what uses it, and goes with the last member.

    `ciphertext`: the password of a shared server's role; a dedicated server keeps its own among its secrets.
    `server_address`: host and port of a server that is not Berth's.
    """

    __tablename__ = "database_allocations"
    deployment_id: Mapped[str] = mapped_column(ForeignKey("deployments.id", ondelete="CASCADE"), primary_key=True)
    project: Mapped[str]
    mode: Mapped[str]
    server_deployment_id: Mapped[str | None] = mapped_column(ForeignKey("deployments.id", ondelete="SET NULL"))
    server_name: Mapped[str]
    server_address: Mapped[str | None]
    database: Mapped[str]
    username: Mapped[str]
    ciphertext: Mapped[bytes | None] = mapped_column(LargeBinary)
    state: Mapped[str]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]

    __table_args__ = (
        CheckConstraint(f"mode in ({sql_list(DatabaseMode)})", name="mode"),
        CheckConstraint(f"state in ({sql_list(AllocationState)})", name="state"),
        CheckConstraint("(mode = 'shared') = (ciphertext is not null)", name="own_password"),
        Index(
            "uq_allocations_managed",
            "server_deployment_id",
            "database",
            unique=True,
            postgresql_where=text("server_deployment_id is not null"),
        ),
        Index(
            "uq_allocations_external",
            "server_address",
            "database",
            unique=True,
            postgresql_where=text("server_address is not null"),
        ),
    )

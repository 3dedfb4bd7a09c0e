"""What stays for ever: lifecycle events and finished lives."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Float,
    Index,
)
from sqlalchemy.orm import Mapped, mapped_column

from db.models.base import Base


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
        Index("ix_runs_end", "terminated_at"),
        Index("ix_runs_terminated", "project", "terminated_at", "run_id"),
    )

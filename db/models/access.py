"""Who may ask, and what they asked: codes, API tokens, the audit trail, rates, limits and what they count."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Index, text
from sqlalchemy.orm import Mapped, mapped_column

from db.models.base import Base


class OneTimeCode(Base):
    """A code that can be given once. Only its digest is kept."""

    __tablename__ = "one_time_codes"
    digest: Mapped[str] = mapped_column(primary_key=True)
    purpose: Mapped[str]
    principal: Mapped[str]
    project: Mapped[str]
    expires_at: Mapped[datetime]
    caller: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    """The rest of the principal: its role and kind, its projects, when and with which token it ends."""


class ApiToken(Base):
    """A token for programs. Only its digest is kept; a revoked one stays as a record."""

    __tablename__ = "tokens"
    __table_args__ = (
        Index("ix_tokens_page", "created_at", "id"),
        Index("ix_tokens_parent", "parent", postgresql_where=text("parent is not null")),
    )
    id: Mapped[str] = mapped_column(primary_key=True)
    digest: Mapped[str] = mapped_column(unique=True)
    prefix: Mapped[str]
    name: Mapped[str]
    role: Mapped[str]
    project: Mapped[str]
    created_by: Mapped[str]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    last_used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    revoked_by: Mapped[str | None]
    parent: Mapped[str | None]
    """The token whose holder logged in with it: a browser's session ends with that one."""


class AuditEntry(Base):
    """One mutation, refusal, reveal or change of a token. Append-only: a trigger refuses all else."""

    __tablename__ = "audit"
    __table_args__ = (Index("ix_audit_page", "time", "id"), Index("ix_audit_actor", "actor", "time"))
    id: Mapped[str] = mapped_column(primary_key=True)
    time: Mapped[datetime]
    project: Mapped[str | None]
    actor: Mapped[str]
    role: Mapped[str | None]
    action: Mapped[str]
    target: Mapped[str | None]
    outcome: Mapped[str]
    status: Mapped[int | None]
    detail: Mapped[str | None]
    trace_id: Mapped[str | None]
    remote: Mapped[str | None]


class RateBucket(Base):
    """What is left of a rate, shared by all API processes. Not logged: after a crash everybody begins full."""

    __tablename__ = "rate_buckets"
    __table_args__ = ({"prefixes": ["UNLOGGED"]},)
    key: Mapped[str] = mapped_column(primary_key=True)
    tokens: Mapped[float]
    granted: Mapped[float]
    """What the last asker got: the one statement answers with it."""
    at: Mapped[datetime]


class OpenStreams(Base):
    """How many live streams of a project one API process has. Not logged: every process says it again."""

    __tablename__ = "open_streams"
    __table_args__ = ({"prefixes": ["UNLOGGED"]},)
    process: Mapped[str] = mapped_column(primary_key=True)
    project: Mapped[str] = mapped_column(primary_key=True)
    open: Mapped[int]
    at: Mapped[datetime]
    """When the process said so last; one that has been silent for a while has none."""


class ProjectLimits(Base):
    """What one project may have at once. Null: as the installation's settings say; -1: no limit."""

    __tablename__ = "project_limits"
    project: Mapped[str] = mapped_column(primary_key=True)
    instances: Mapped[int | None]
    cpu: Mapped[float | None]
    memory_mb: Mapped[int | None]
    disk_gb: Mapped[int | None]
    unfinished_operations: Mapped[int | None]
    sockets: Mapped[int | None]
    updated_at: Mapped[datetime]
    updated_by: Mapped[str]

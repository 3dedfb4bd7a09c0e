"""What eyes on the system keep: spans of traces, lasting counters, pulses of loops, notifications."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Boolean, CheckConstraint, Float, Index, Integer, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from db.models.base import Base


class SpanRow(Base):
    """One span of the trace of an operation, kept for some days so that it can be shown without any collector."""

    __tablename__ = "spans"
    trace_id: Mapped[str] = mapped_column(primary_key=True)
    span_id: Mapped[str] = mapped_column(primary_key=True)
    parent_id: Mapped[str | None]
    name: Mapped[str]
    service: Mapped[str]
    started_at: Mapped[datetime]
    seconds: Mapped[float] = mapped_column(Float)
    ok: Mapped[bool] = mapped_column(Boolean)
    attributes: Mapped[dict[str, Any]]

    __table_args__ = (Index("ix_spans_started", "started_at"),)


class Measure(Base):
    """One counter, folded from the event log: it goes up only, whatever is restarted or purged."""

    __tablename__ = "measures"
    name: Mapped[str] = mapped_column(primary_key=True)
    labels: Mapped[str] = mapped_column(primary_key=True)
    """As JSON with sorted keys."""
    value: Mapped[float] = mapped_column(Float)


class Pulse(Base):
    """A loop's last sign of life and, where it follows the event log, the last number that it has dealt with."""

    __tablename__ = "pulses"
    name: Mapped[str] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    cursor: Mapped[int] = mapped_column(BigInteger, server_default="0")


class Notification(Base):
    """One message to the operator's webhook. `id` is its `webhook-id`; `cause` names the event it tells of."""

    __tablename__ = "notifications"
    id: Mapped[str] = mapped_column(primary_key=True)
    project: Mapped[str]
    type: Mapped[str]
    cause: Mapped[str]
    payload: Mapped[dict[str, Any]]
    state: Mapped[str]
    attempts: Mapped[int] = mapped_column(Integer, server_default="0")
    created_at: Mapped[datetime]
    next_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    last_error: Mapped[str | None]

    __table_args__ = (
        UniqueConstraint("type", "cause"),
        CheckConstraint("state in ('dead', 'delivered', 'pending')", name="state"),
        Index("ix_notifications_pending", "next_at", postgresql_where=text("state = 'pending'")),
        Index("ix_notifications_created", "created_at"),
    )

"""What eyes on the system need: traces, counters that outlive a process, notifications, and indexes to purge by."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("operations", sa.Column("traceparent", sa.Text(), nullable=True))
    op.create_table(
        "spans",
        sa.Column("trace_id", sa.Text(), nullable=False),
        sa.Column("span_id", sa.Text(), nullable=False),
        sa.Column("parent_id", sa.Text(), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("service", sa.Text(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.Column("ok", sa.Boolean(), nullable=False),
        sa.Column("attributes", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("trace_id", "span_id", name=op.f("pk_spans")),
    )
    op.create_index("ix_spans_started", "spans", ["started_at"])
    op.create_table(
        "measures",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("labels", sa.Text(), nullable=False),
        sa.Column("value", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("name", "labels", name=op.f("pk_measures")),
    )
    op.create_table(
        "pulses",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("cursor", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_pulses")),
    )
    op.create_table(
        "notifications",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("project", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("payload", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.CheckConstraint("state in ('dead', 'delivered', 'pending')", name=op.f("ck_notifications_state")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notifications")),
        sa.UniqueConstraint("type", "cause", name=op.f("uq_notifications_type_cause")),
    )
    op.create_index(
        "ix_notifications_pending", "notifications", ["next_at"], postgresql_where=sa.text("state = 'pending'")
    )
    op.create_index("ix_notifications_created", "notifications", ["created_at"])
    op.create_index(
        "ix_operations_finished",
        "operations",
        ["finished_at"],
        postgresql_where=sa.text("finished_at is not null"),
    )
    op.create_index(
        "ix_operations_keyed",
        "operations",
        ["created_at"],
        postgresql_where=sa.text("idempotency_key is not null"),
    )
    op.create_index("ix_runs_end", "instance_runs", ["terminated_at"])


def downgrade() -> None:
    op.drop_index("ix_runs_end", "instance_runs")
    op.drop_index("ix_operations_keyed", "operations")
    op.drop_index("ix_operations_finished", "operations")
    for table in ("notifications", "pulses", "measures", "spans"):
        op.drop_table(table)
    op.drop_column("operations", "traceparent")

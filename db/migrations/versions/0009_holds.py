"""Holds, maintenance, what billing said, protection against deletion, and operations that were forced."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)


def _words(*words: str, name: str) -> sa.Enum:
    return sa.Enum(*words, name=name, native_enum=False, create_constraint=True, length=32)


def upgrade() -> None:
    no = sa.text("false")
    op.add_column("deployments", sa.Column("deletion_protection", sa.Boolean(), server_default=no, nullable=False))
    op.add_column("operations", sa.Column("forced", sa.Boolean(), server_default=no, nullable=False))
    op.add_column("instances_runtime", sa.Column("suspended_from", sa.Text(), nullable=True))
    op.create_check_constraint(
        op.f("ck_instances_runtime_suspended_from"),
        "instances_runtime",
        "suspended_from in ('error', 'maintenance', 'running', 'stopped')",
    )
    _holds()
    _billing()


def _holds() -> None:
    op.create_table(
        "holds",
        sa.Column("deployment_id", sa.Text(), nullable=False),
        sa.Column("cause", _words("billing", "admin", name="cause"), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("since", _TIME, nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("deletes_at", _TIME, nullable=True),
        sa.Column("lifting", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["deployment_id"], ["deployments.id"], name=op.f("fk_holds_deployment_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("deployment_id", "cause", name=op.f("pk_holds")),
    )
    op.create_index(
        "ix_holds_deadline", "holds", ["deletes_at"], postgresql_where=sa.text("deletes_at is not null")
    )
    op.create_table(
        "maintenance",
        sa.Column("instance_id", sa.Text(), nullable=False),
        sa.Column("begins_at", _TIME, nullable=False),
        sa.Column("until", _TIME, nullable=True),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("requested_at", _TIME, nullable=False),
        sa.Column("began_at", _TIME, nullable=True),
        sa.Column("before", sa.Text(), nullable=True),
        sa.CheckConstraint("until is null or until > begins_at", name=op.f("ck_maintenance_ends_after_it_begins")),
        sa.CheckConstraint(
            "(began_at is null) = (before is null)", name=op.f("ck_maintenance_begun_from_a_status")
        ),
        sa.CheckConstraint("before in ('running', 'stopped')", name=op.f("ck_maintenance_before")),
        sa.ForeignKeyConstraint(
            ["instance_id"], ["instances_runtime.id"], name=op.f("fk_maintenance_instance_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("instance_id", name=op.f("pk_maintenance")),
    )


def _billing() -> None:
    op.create_table(
        "billing_records",
        sa.Column("deployment_id", sa.Text(), nullable=False),
        sa.Column("status", _words("trial", "paid", "payment_required", name="billing_status"), nullable=False),
        sa.Column("status_at", _TIME, nullable=True),
        sa.Column("status_delivery", sa.Text(), nullable=True),
        sa.Column("subscription", _words("active", "cancelled", name="subscription"), nullable=False),
        sa.Column("subscription_at", _TIME, nullable=True),
        sa.Column("subscription_delivery", sa.Text(), nullable=True),
        sa.Column("alert", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["deployment_id"],
            ["deployments.id"],
            name=op.f("fk_billing_records_deployment_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("deployment_id", name=op.f("pk_billing_records")),
    )
    op.create_table(
        "webhook_deliveries",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("webhook_id", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column(
            "subject_kind", _words("customer", "deployment", "instance", name="subject_kind"), nullable=True
        ),
        sa.Column("subject", sa.Text(), nullable=True),
        sa.Column("project", sa.Text(), nullable=True),
        sa.Column("occurred_at", _TIME, nullable=False),
        sa.Column("received_at", _TIME, nullable=False),
        sa.Column(
            "verdict", _words("applied", "superseded", "ignored", "refused", name="verdict"), nullable=False
        ),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.Column("operation_id", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_deliveries")),
        sa.UniqueConstraint("webhook_id", name=op.f("uq_webhook_deliveries_webhook_id")),
    )
    op.create_index("ix_deliveries_page", "webhook_deliveries", ["received_at", "id"])


def downgrade() -> None:
    for table in ("webhook_deliveries", "billing_records", "maintenance", "holds"):
        op.drop_table(table)
    op.drop_column("instances_runtime", "suspended_from")
    op.drop_column("operations", "forced")
    op.drop_column("deployments", "deletion_protection")

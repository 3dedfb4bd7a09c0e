"""Who watches what, and what was seen: observers with their epochs, health with its age, drift that was told."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "observers",
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("taken_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("renewed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("streaming", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("last_full_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("watched", sa.Integer(), server_default="0", nullable=False),
        sa.Column("orphans", sa.Integer(), server_default="0", nullable=False),
        sa.Column("trouble", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("scope", name=op.f("pk_observers")),
    )
    health = sa.Enum(
        "healthy",
        "degraded",
        "unreachable",
        "unknown",
        name="health",
        native_enum=False,
        create_constraint=True,
        length=32,
    )
    op.add_column(
        "instances_runtime", sa.Column("health", health, server_default=sa.text("'unknown'"), nullable=False)
    )
    op.add_column("instances_runtime", sa.Column("health_checked_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("instances_runtime", sa.Column("health_reason", sa.Text(), nullable=True))
    op.add_column("instances_runtime", sa.Column("drift", sa.Text(), nullable=True))
    # Health is refreshed often and is in no index: with room on the page such an update touches no index.
    op.execute("alter table instances_runtime set (fillfactor = 70)")


def downgrade() -> None:
    op.execute("alter table instances_runtime reset (fillfactor)")
    for column in ("drift", "health_reason", "health_checked_at", "health"):
        op.drop_column("instances_runtime", column)
    op.drop_table("observers")

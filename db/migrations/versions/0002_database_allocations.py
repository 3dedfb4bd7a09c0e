"""Databases that Berth allocates to deployments, and what a deployment of Berth's own making is for."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("deployments", sa.Column("purpose", sa.Text(), nullable=True))
    op.create_check_constraint(
        op.f("ck_deployments_purpose"),
        "deployments",
        "purpose in ('dedicated-database', 'shared-database')",
    )
    op.create_index(
        "uq_deployments_shared_database",
        "deployments",
        ["project", "provider", sa.text("coalesce(host_id, '')")],
        unique=True,
        postgresql_where=sa.text("purpose = 'shared-database'"),
    )
    op.create_table(
        "database_allocations",
        sa.Column("deployment_id", sa.Text(), nullable=False),
        sa.Column("project", sa.Text(), nullable=False),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.Column("server_deployment_id", sa.Text(), nullable=True),
        sa.Column("server_name", sa.Text(), nullable=False),
        sa.Column("server_address", sa.Text(), nullable=True),
        sa.Column("database", sa.Text(), nullable=False),
        sa.Column("username", sa.Text(), nullable=False),
        sa.Column("ciphertext", sa.LargeBinary(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("mode in ('dedicated', 'shared')", name=op.f("ck_database_allocations_mode")),
        sa.CheckConstraint(
            "state in ('pending', 'ready', 'releasing', 'rotating')", name=op.f("ck_database_allocations_state")
        ),
        sa.CheckConstraint(
            "(mode = 'shared') = (ciphertext is not null)", name=op.f("ck_database_allocations_own_password")
        ),
        sa.ForeignKeyConstraint(
            ["deployment_id"],
            ["deployments.id"],
            name=op.f("fk_database_allocations_deployment_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["server_deployment_id"],
            ["deployments.id"],
            name=op.f("fk_database_allocations_server_deployment_id"),
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("deployment_id", name=op.f("pk_database_allocations")),
    )
    op.create_index(
        "uq_allocations_managed",
        "database_allocations",
        ["server_deployment_id", "database"],
        unique=True,
        postgresql_where=sa.text("server_deployment_id is not null"),
    )
    op.create_index(
        "uq_allocations_external",
        "database_allocations",
        ["server_address", "database"],
        unique=True,
        postgresql_where=sa.text("server_address is not null"),
    )


def downgrade() -> None:
    op.drop_table("database_allocations")
    op.drop_index("uq_deployments_shared_database", "deployments")
    op.drop_constraint(op.f("ck_deployments_purpose"), "deployments")
    op.drop_column("deployments", "purpose")

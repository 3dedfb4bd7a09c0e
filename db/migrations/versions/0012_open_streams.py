"""How many live streams each API process has open, so that a project's limit counts over all of them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "open_streams",
        sa.Column("process", sa.Text(), nullable=False),
        sa.Column("project", sa.Text(), nullable=False),
        sa.Column("open", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("process", "project", name=op.f("pk_open_streams")),
        prefixes=["UNLOGGED"],
    )


def downgrade() -> None:
    op.drop_table("open_streams")

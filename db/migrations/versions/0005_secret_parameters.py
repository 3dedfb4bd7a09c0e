"""Which secret parameters a deployment has and when each was last set, and whose deployment it is."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "deployments",
        sa.Column(
            "secret_revisions",
            postgresql.JSONB(none_as_null=True, astext_type=sa.Text()),
            server_default=sa.text("'{}'"),
            nullable=False,
        ),
    )
    op.add_column("deployments", sa.Column("customer_id", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("deployments", "customer_id")
    op.drop_column("deployments", "secret_revisions")

"""Who changed an instance last, and when: `updated_at` moves with its health too, and names nobody."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_LAST_ASKED = """
    update instances_runtime as i set changed_by = o.actor, changed_at = o.created_at
    from operations as o where o.id = i.operation_id"""


def upgrade() -> None:
    now, berth = sa.text("clock_timestamp()"), sa.text("'berth'")
    op.add_column("instances_runtime", sa.Column("changed_by", sa.Text(), server_default=berth, nullable=False))
    op.add_column(
        "instances_runtime",
        sa.Column("changed_at", sa.DateTime(timezone=True), server_default=now, nullable=False),
    )
    op.execute("update instances_runtime set changed_at = updated_at")
    op.execute(_LAST_ASKED)


def downgrade() -> None:
    op.drop_column("instances_runtime", "changed_at")
    op.drop_column("instances_runtime", "changed_by")

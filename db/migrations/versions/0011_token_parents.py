"""Whose token a browser's session came from: it ends with that one."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("tokens", sa.Column("parent", sa.Text))
    op.create_index("ix_tokens_parent", "tokens", ["parent"], postgresql_where=sa.text("parent is not null"))


def downgrade() -> None:
    op.drop_index("ix_tokens_parent", table_name="tokens")
    op.drop_column("tokens", "parent")

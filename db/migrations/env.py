"""Alembic's entry: runs the migrations on the connection that `db.migrate` holds the lock with."""

from __future__ import annotations

from alembic import context
from sqlalchemy import Connection

from db.models import Base
from db.session import EVENT_SEQUENCE  # noqa: F401 - registers the sequence with the metadata


def run(connection: Connection) -> None:
    """All pending revisions in one transaction."""
    context.configure(
        connection=connection, target_metadata=Base.metadata, compare_type=True, transaction_per_migration=False
    )
    with context.begin_transaction():
        context.run_migrations()


run(context.config.attributes["connection"])

"""Protection against deletion: what is protected stays, whoever asks for the delete and in whatever form."""

from __future__ import annotations

from sqlalchemy import select

from db.models import DatabaseAllocation, Deployment
from db.session import Tx
from domain.databases import DatabaseMode
from domain.errors import Protected
from domain.lifecycle import Operation


def check_not_protected(deployment: Deployment, operation: Operation, name: str | None = None) -> None:
    """Raise `Protected` while `deletion_protection` is set."""
    if deployment.deletion_protection:
        raise Protected(
            operation.value,
            None,
            (),
            f"{name or deployment.name} is protected against deletion; lift `deletion_protection` first",
        )


def check_may_go(tx: Tx, deployment: Deployment) -> None:
    """As above, for the whole of it: the database server that goes with it may be protected, too."""
    check_not_protected(deployment, Operation.DELETE)
    server = tx.session.scalar(
        select(Deployment)
        .join(DatabaseAllocation, DatabaseAllocation.server_deployment_id == Deployment.id)
        .where(
            DatabaseAllocation.deployment_id == deployment.id, DatabaseAllocation.mode == DatabaseMode.DEDICATED
        )
    )
    if server is not None:
        check_not_protected(server, Operation.DELETE, f"{server.name}, the database of {deployment.name},")

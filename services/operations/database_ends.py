"""What is said of a deployment's database where something failed, and whether its steps are all done.

Called by the ends of steps and operations, which everything about allocations builds on.
"""

from __future__ import annotations

from sqlalchemy import select

from db.models import DatabaseAllocation, Deployment, OperationRow, OperationStep
from db.session import Tx
from domain.databases import AllocationState, DatabaseStep
from domain.operations import StepStatus


def kept_database(tx: Tx, deployment: Deployment) -> list[str]:
    """What a failure leaves of the database, in words for people."""
    if deployment.database is None:
        return []
    found = tx.session.get(DatabaseAllocation, deployment.id, populate_existing=True)
    if found is None:
        return []
    begun = "" if found.state != AllocationState.PENDING else ", still being made,"
    return [f"database {found.database} on server {found.server_name}{begun} with its credentials"]


def unfinished_database_step(tx: Tx, operation: OperationRow, deployment: Deployment) -> str | None:
    """The title of the operation's step about the database that is not done, if there is one."""
    if deployment.database is None:
        return None
    return tx.session.scalar(
        select(OperationStep.title).where(
            OperationStep.operation_id == operation.id,
            OperationStep.name.in_(list(DatabaseStep)),
            OperationStep.status != StepStatus.DONE,
        )
    )

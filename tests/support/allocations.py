"""What tests of database allocation look at: the allocation, its server, and logins that work or do not."""

from __future__ import annotations

from typing import Any

import psycopg2
from sqlalchemy import select

from db.models import DatabaseAllocation, Deployment, Instance, OperationRow
from domain.specs import Accepted
from services.operations.works import GrantedDatabase, granted
from tests.support.spine import Spine

DEDICATED: dict[str, Any] = {"mode": "dedicated"}
SHARED: dict[str, Any] = {"mode": "shared"}


def allocation(spine: Spine, made: Accepted) -> DatabaseAllocation | None:
    found = spine.rows(select(DatabaseAllocation).where(DatabaseAllocation.deployment_id == made.deployment_id))
    return found[0] if found else None


def allocated(spine: Spine, made: Accepted) -> DatabaseAllocation:
    found = allocation(spine, made)
    assert found is not None
    return found


def server(spine: Spine, made: Accepted) -> Instance:
    """The managed instance on which the database is."""
    at = allocated(spine, made).server_deployment_id
    assert at is not None
    return spine.instance(at)


def deployment(spine: Spine, name: str) -> Deployment | None:
    found = spine.rows(select(Deployment).where(Deployment.name == name))
    return found[0] if found else None


def operations_of(spine: Spine, name: str) -> list[OperationRow]:
    """Everything that was ever done about a deployment of this name, oldest first."""
    query = select(OperationRow).where(OperationRow.deployment_name == name)
    return spine.rows(query.order_by(OperationRow.created_at))


def credentials(spine: Spine, made: Accepted) -> GrantedDatabase:
    """As an activity finds them, fresh."""
    found = spine.write(lambda tx: granted(tx, spine.vault, spine.server_id, made.deployment_id))
    assert found is not None
    return found


def login(found: GrantedDatabase, port: int, database: str | None = None) -> str:
    """Log in over TCP as the role of an allocated database; answers who and where one is. Raises as psycopg2."""
    connection = psycopg2.connect(
        host="127.0.0.1",
        port=port,
        user=found.user,
        password=found.password,
        dbname=database or found.name,
        connect_timeout=5,
        passfile="/dev/null",
    )
    try:
        with connection.cursor() as cursor:
            cursor.execute("select current_user || '@' || current_database()")
            (answer,) = cursor.fetchone() or ("",)
            return str(answer)
    finally:
        connection.close()

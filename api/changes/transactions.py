"""Run a change in one transaction; when only an index decided a race, run it again and answer properly."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from psycopg2.errors import DeadlockDetected
from sqlalchemy.exc import IntegrityError, OperationalError

from api.errors import Conflict
from db.session import Database, Tx

Answer = TypeVar("Answer")

RACES = frozenset(
    {
        "uq_operations_one_holder",
        "uq_operations_idempotency",
        "uq_deployments_project_name",
        "uq_instances_runtime_project_name",
        "uq_instances_runtime_deployment_id_ordinal",
        "uq_instances_host_port",
        "fk_instances_runtime_deployment_id",
    }
)
_ATTEMPTS = 3


def commit(database: Database, work: Callable[[Tx], Answer]) -> Answer:
    """`work` in a transaction. Raises what `work` raises, or `Conflict` when the race is lost every time."""
    for _ in range(_ATTEMPTS):
        try:
            with database.begin() as tx:
                return work(tx)
        except IntegrityError as error:
            if getattr(getattr(error.orig, "diag", None), "constraint_name", None) not in RACES:
                raise
        except OperationalError as error:
            if not isinstance(error.orig, DeadlockDetected):
                raise
    raise Conflict("Another request was faster; send this one again.")

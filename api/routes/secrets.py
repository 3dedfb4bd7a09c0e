"""Rotation: a new key for everything stored, a new password for one database."""

from __future__ import annotations

from fastapi import APIRouter, Response

from api import schemas
from api.access import needs
from api.answers import ok
from api.changes.transactions import commit
from api.dependencies import AskDep, PartsDep
from api.reading import find_instance
from api.routes.instances import accepted_instance
from db.queries import figures
from db.session import Tx
from domain.access import Right
from domain.specs import Accepted
from services.requests.rotation import rotate_keys, rotate_password

router = APIRouter(tags=["secrets"])


@router.post(
    "/secrets:rotate",
    operation_id="secrets_rotate",
    response_model=schemas.KeyRotation,
    dependencies=[needs(Right.ADMIN)],
)
def rotate_key(parts: PartsDep) -> Response:
    """A new key, and every stored secret encrypted with it. Whoever reads the key file follows by itself."""
    form = commit(parts.database, lambda tx: rotate_keys(tx, parts.vault))
    with parts.database.read() as session:
        agents = [host["name"] for host in figures.hosts(session)]
    return ok({**form, "hint": _hint(agents)})


def _hint(agents: list[str]) -> str | None:
    """One machine alone reads the file that was just changed; others have a copy of their own."""
    if len(agents) < 2:
        return None
    return f"Copy the key file of this data directory to every other machine of: {', '.join(agents)}."


@router.post(
    "/instances/{key}/secrets:rotate",
    operation_id="instances_rotate",
    status_code=202,
    response_model=schemas.AcceptedInstance,
    dependencies=[needs(Right.REVEAL)],
)
def rotate(parts: PartsDep, ask: AskDep, key: str) -> Response:
    """A new password for the instance's database: a modify that tells the server, then what logs in there."""

    def work(tx: Tx) -> tuple[str, Accepted]:
        row = find_instance(tx.session, ask.caller, key)
        return row.id, rotate_password(tx, ask, parts.vault, row.id)

    instance_id, made = commit(parts.database, work)
    return accepted_instance(parts, ask.caller, made.operation_id, instance_id)

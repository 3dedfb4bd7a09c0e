"""Hosts, as administrators change them: cordon, uncordon, remove. They are listed by `api.routes.fleet`."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from api import schemas
from api.access import needs
from api.answers import ok
from api.changes.transactions import commit
from api.dependencies import CallerDep, PartsDep, now
from api.parts import Parts
from api.reading import printable_key
from db.queries import figures
from db.session import Tx
from domain.access import Right
from domain.errors import NotFound
from domain.specs import Caller
from services.places.host_changes import remove_host, set_cordon
from services.places.placement import is_lost, is_silent
from services.views.common import iso

router = APIRouter(tags=["fleet"], dependencies=[needs(Right.ADMIN)])


@router.post("/hosts/{key}/cordon", operation_id="hosts_cordon", response_model=schemas.HostForm)
def cordon(parts: PartsDep, caller: CallerDep, key: str) -> Response:
    """Put nothing new on it; what runs there goes on."""
    return _cordoned(parts, caller, key, cordoned=True)


@router.post("/hosts/{key}/uncordon", operation_id="hosts_uncordon", response_model=schemas.HostForm)
def uncordon(parts: PartsDep, caller: CallerDep, key: str) -> Response:
    """Let it hold new instances again."""
    return _cordoned(parts, caller, key, cordoned=False)


def _cordoned(parts: Parts, caller: Caller, key: str, *, cordoned: bool) -> Response:
    known = printable_key(key, "host")
    host_id = commit(parts.database, lambda tx: set_cordon(tx, caller, known, cordoned=cordoned))
    return ok(_form(parts, host_id))


def _form(parts: Parts, host_id: str) -> dict[str, Any]:
    with parts.database.read() as session:
        row = next((row for row in figures.hosts(session) if row["id"] == host_id), None)
    if row is None:  # removed meanwhile
        raise NotFound("host", host_id)
    seen = row["last_seen_at"]
    times = {name: iso(row[name]) for name in ("first_seen_at", "last_seen_at")}
    return {**row, **times, "silent": is_silent(seen, now()), "lost": is_lost(seen, now())}


@router.delete("/hosts/{key}", operation_id="hosts_remove", status_code=204)
def remove(
    parts: PartsDep,
    caller: CallerDep,
    key: str,
    force: Annotated[bool, Query(description="Although it holds instances: they can then be forgotten.")] = False,
) -> Response:
    """Take a host off the books that is gone for good; 409 while it is seen, or holds instances."""
    known = printable_key(key, "host")

    def work(tx: Tx) -> str:
        return remove_host(tx, caller, known, force=force, now=now())

    commit(parts.database, work)
    return Response(status_code=204)

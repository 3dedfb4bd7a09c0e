"""What administrators change about hosts: closed to new instances, open again, off the books."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, func, select, update

from db.models import Host, Instance, Observer, ProviderPlace
from db.session import Tx
from domain.errors import NotFound, OperationNotAllowed
from domain.specs import Caller
from services.access.audit import note
from services.places.placement import is_silent


def set_cordon(tx: Tx, caller: Caller, key: str, *, cordoned: bool) -> str:
    """Put nothing new on a host, or again; returns its id. Saying it twice is no error."""
    host_id, _ = _host(tx, key)
    tx.session.execute(update(Host).where(Host.id == host_id).values(cordoned=cordoned))
    note(tx, caller, "hosts_cordon" if cordoned else "hosts_uncordon", host_id, status=200)
    return host_id


def remove_host(tx: Tx, caller: Caller, key: str, *, force: bool, now: datetime) -> str:
    """Forget a host that is gone for good. Raises `OperationNotAllowed` while it is seen, or holds instances.

    With `force` its instances stay without it: they can then be forgotten, as those of any lost host. Nobody is
    to watch it any more.
    """
    host_id, seen = _host(tx, key)
    if not is_silent(seen, now):
        raise OperationNotAllowed("remove", "ready", ("cordon",), f"{key} is alive: stop its worker first")
    held = tx.session.scalar(select(func.count()).select_from(Instance).where(Instance.host_id == host_id)) or 0
    if held and not force:
        why = f"{key} holds {held} instances: delete or forget them first, or remove it with force"
        raise OperationNotAllowed("remove", "silent", ("cordon",), why)
    tx.session.execute(delete(ProviderPlace).where(ProviderPlace.host_id == host_id))
    tx.session.execute(delete(Observer).where(Observer.scope.endswith(f"/{host_id}", autoescape=True)))
    tx.session.execute(delete(Host).where(Host.id == host_id))
    note(
        tx,
        caller,
        "hosts_remove",
        host_id,
        status=204,
        detail=f"{held} instances left without it" if held else None,
    )
    return host_id


def _host(tx: Tx, key: str) -> tuple[str, datetime]:
    """By id or name, locked."""
    column = Host.id if key.startswith("host_") else Host.name
    row = tx.session.execute(
        select(Host.id, Host.last_seen_at).where(column == key).with_for_update()
    ).one_or_none()
    if row is None:
        raise NotFound("host", key)
    return row.id, row.last_seen_at

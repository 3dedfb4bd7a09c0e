"""The hosts that hold instances: registered and kept alive by their workers."""

from __future__ import annotations

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert

from db.models import Host, Meta
from db.session import Tx


def register_host(tx: Tx, host_id: str, name: str, providers: list[str], boot_id: str) -> None:
    """Make the host known, or known again after a restart."""
    values = {"name": name, "providers": providers, "boot_id": boot_id, "last_seen_at": tx.now}
    tx.session.execute(
        insert(Host)
        .values(id=host_id, first_seen_at=tx.now, **values)
        .on_conflict_do_update(index_elements=["id"], set_=values)
    )


def see_host(tx: Tx, host_id: str) -> None:
    """The host's worker is alive."""
    tx.session.execute(update(Host).where(Host.id == host_id).values(last_seen_at=tx.now))


def server_id(tx: Tx) -> str:
    """The id of this installation's records, on every object that it makes."""
    return tx.session.execute(select(Meta.value).where(Meta.key == "server_id")).scalar_one()

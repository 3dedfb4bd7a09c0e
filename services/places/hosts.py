"""The hosts that hold instances: registered and kept alive by their workers."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from db.models import Host, Meta
from db.session import Tx


def register_host(tx: Tx, host_id: str, name: str, providers: list[str], boot_id: str) -> None:
    """Make the host known, or known again after a restart; it is seen now.

    A name that another host has had before is told apart by the host's id.
    """
    name = name if name_is_free(tx, host_id, name) else f"{name}-{host_id[-6:]}"
    values = {"name": name, "providers": providers, "boot_id": boot_id, "last_seen_at": tx.now}
    tx.session.execute(
        insert(Host)
        .values(id=host_id, first_seen_at=tx.now, **values)
        .on_conflict_do_update(index_elements=["id"], set_=values)
    )


def name_is_free(tx: Tx, host_id: str, name: str) -> bool:
    """Whether no other host is known by this name."""
    return tx.session.scalar(select(Host.id).where(Host.name == name, Host.id != host_id)) is None


def server_id(tx: Tx) -> str:
    """The id of this installation's records, on every object that it makes."""
    return tx.session.execute(select(Meta.value).where(Meta.key == "server_id")).scalar_one()

"""What an instance is made of, as providers need it: its facts, its secrets, and the database it was given.

Loaded fresh from the records for every attempt; nothing of it is ever stored elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select

from db.models import DatabaseAllocation, Instance
from db.session import Tx
from db.vault import Vault
from domain.databases import ServerAddress
from domain.work import Identity, Resources, Work
from providers.registry import PROVIDERS


@dataclass(frozen=True)
class GrantedDatabase:
    """The database of a deployment. Its server is a managed instance, or stands at an `address` of its own."""

    name: str
    user: str
    password: str = field(repr=False)
    provider: str | None = None
    server: Work | None = None
    address: ServerAddress | None = None


def load_work(tx: Tx, vault: Vault, server_id: str, row: Instance, spec: dict[str, Any]) -> Work:
    """The facts and secrets that a provider needs, fresh from the records."""
    generation = row.object_generation
    signature = vault.sign(server_id, row.project, row.deployment_id, row.id, str(generation))
    return Work(
        Identity(server_id, row.project, row.deployment_id, row.id, generation, signature),
        row.name,
        row.blueprint,
        spec["params"],
        Resources(**spec["resources"]),
        row.port,
        row.cloud_instance_id,
        vault.get(tx, row.id),
        form=PROVIDERS[row.provider].form if row.provider in PROVIDERS else None,
        labels=row.labels,
    )


def server_of(tx: Tx, deployment_id: str) -> Instance | None:
    """The one instance of a managed database server."""
    return tx.session.scalar(
        select(Instance)
        .where(Instance.deployment_id == deployment_id)
        .order_by(Instance.ordinal)
        .limit(1)
        .execution_options(populate_existing=True)
    )


def server_work(tx: Tx, vault: Vault, server_id: str, row: Instance) -> Work:
    """A managed database server as it runs now."""
    return load_work(tx, vault, server_id, row, row.applied_spec or {"params": {}, "resources": {}})


def granted(tx: Tx, vault: Vault, server_id: str, deployment_id: str) -> GrantedDatabase | None:
    """What was allocated to a deployment; None while there is nothing to connect to."""
    found = tx.session.get(DatabaseAllocation, deployment_id, populate_existing=True)
    if found is None:
        return None
    own = vault.decrypt(found.ciphertext) if found.ciphertext is not None else None
    if found.server_address is not None:
        address = ServerAddress.read(found.server_address)
        return GrantedDatabase(found.database, found.username, own or "", address=address)
    row = server_of(tx, found.server_deployment_id) if found.server_deployment_id else None
    if row is None:
        return None
    server = server_work(tx, vault, server_id, row)
    password = own if own is not None else server.secrets.get("password")
    if password is None:
        return None
    return GrantedDatabase(found.database, found.username, password, row.provider, server)

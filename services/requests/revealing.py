"""Secrets leave Berth through this door only, and that somebody looked is an event."""

from __future__ import annotations

import re
from typing import Any, Final

from blueprints.base import Blueprint
from db.models import Instance
from db.session import Tx
from db.vault import Vault
from domain.specs import Ask
from domain.work import Work
from services.operations.works import granted, load_work
from services.places import catalog
from services.places.hosts import server_id
from services.requests.edits import instance

_ADDRESS: Final = re.compile(r"[\w.-]+:\d{1,5}")


def reveal(tx: Tx, ask: Ask, vault: Vault, instance_id: str) -> dict[str, Any]:
    """`{items: [{name, value}], connection_uri}` of one instance. Raises `NotFound`."""
    row = instance(tx, ask, instance_id)
    work = load_work(tx, vault, server_id(tx), row, row.applied_spec or {"params": {}, "resources": {}})
    known = catalog.blueprint(row.blueprint)
    database = granted(tx, vault, server_id(tx), row.deployment_id)
    values = {**work.secrets, **({"database_password": database.password} if database else {})}
    tx.emit(
        project=row.project,
        event_type="SECRETS_REVEALED",
        instance_id=row.id,
        deployment_id=row.deployment_id,
        operation_id=None,
        version=None,  # looking at a secret changes nothing of the instance
        status=row.status,
        from_status=row.status,
        to_status=row.status,
        source=ask.caller.source,
        reason=ask.reason,
        confirmation_method=None,
        actor=ask.caller.name,
        cloud_instance_id=row.cloud_instance_id,
        data={"names": sorted(values), "name": row.name},
    )
    return {
        "items": [{"name": name, "value": values[name]} for name in sorted(values)],
        "connection_uri": _connection_uri(known, work, row),
    }


def _connection_uri(known: Blueprint | None, work: Work, row: Instance) -> str | None:
    if known is None or not work.secrets:
        return None
    named = row.endpoint is not None and _ADDRESS.fullmatch(row.endpoint) is not None
    return known.connection_uri(work, row.endpoint if named else None)

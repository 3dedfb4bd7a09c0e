"""New keys for what is stored encrypted, and new passwords for databases. Called by the API.

Keys: the file comes first, and whoever reads a secret meanwhile knows both. A crash in between leaves secrets
under the former key, which stays in the file; the next rotation takes them along.

Passwords: the new one is recorded with an ordinary modify, which tells the server first and then whatever logs in.
Should it fail, the next operation that makes an instance log in does the same before it.
"""

from __future__ import annotations

import secrets

from sqlalchemy import LargeBinary, Table, cast, func, select, update

from db.models import DatabaseAllocation, Deployment, Meta, Secret
from db.session import Tx
from db.vault import CANARY, Vault
from domain.changes import touch
from domain.databases import AllocationState, DatabaseMode, Purpose, consumer_name
from domain.errors import OperationNotAllowed
from domain.lifecycle import Operation
from domain.specs import Accepted, Ask
from domain.work import Secrets
from providers.registry import PROVIDERS
from services.operations.acceptance import (
    check_free,
    insert_operation,
    lock_deployment,
    members_of,
    replayed,
    take_fence,
)
from services.operations.works import server_of
from services.places.database_checks import DATABASE_BLUEPRINT, needed_by, why_needed
from services.places.placement import check_host
from services.requests.edits import instance

_ENCRYPTED: tuple[Table, ...] = (Secret.__table__, DatabaseAllocation.__table__)  # type: ignore[assignment]
_LOCK = 0x62657274680010
_PASSWORD_BYTES = 24


def rotate_keys(tx: Tx, vault: Vault) -> dict[str, int]:
    """`{keys, secrets}`: how many keys the file holds now, and how many secrets were encrypted anew."""
    tx.session.execute(select(func.pg_advisory_xact_lock(_LOCK)))
    vault.check(tx)
    keys = vault.add_key()
    count = sum(_renew(tx, vault, table) for table in _ENCRYPTED)
    planted = tx.session.get_one(Meta, CANARY)
    planted.value = vault.renewed(planted.value.encode()).decode()
    return {"keys": keys, "secrets": count}


def rotate_password(tx: Tx, ask: Ask, vault: Vault, instance_id: str) -> Accepted:
    """Accept a new password for the database of a deployment, or of a server itself, by any of its instances.

    Raises `OperationNotAllowed` where there is none that Berth could change.
    """
    if (before := replayed(tx, ask)) is not None:
        return before
    deployment = lock_deployment(tx, instance(tx, ask, instance_id).deployment_id, ask.caller.project)
    check_free(tx, deployment.id)
    members = members_of(tx, deployment.id)
    touches = [touch(m, Operation.MODIFY) for m in members if m.applied is not None]
    if not touches:
        raise _refused(f"{deployment.name} was never made; its create draws the password")
    check_host(tx, deployment.host_id, Operation.MODIFY)
    if deployment.database is not None:
        _renew_allocated(tx, vault, deployment)
    else:
        _renew_own(tx, vault, deployment, [m.id for m in members])
    operation_id = insert_operation(tx, ask, deployment, Operation.MODIFY, touches)
    take_fence(tx, deployment.id, operation_id)
    return Accepted(operation_id, deployment.id)


def _renew_allocated(tx: Tx, vault: Vault, deployment: Deployment) -> None:
    found = tx.session.get(DatabaseAllocation, deployment.id, with_for_update=True)
    if found is None or found.state not in {AllocationState.READY, AllocationState.ROTATING}:
        raise _refused(f"{deployment.name} has no database yet")
    if found.server_deployment_id is not None:
        _check_reachable(deployment)
    password = secrets.token_urlsafe(_PASSWORD_BYTES)
    if found.mode == DatabaseMode.SHARED:
        found.ciphertext = vault.encrypt(password)
    else:
        server = server_of(tx, found.server_deployment_id) if found.server_deployment_id else None
        if server is None:
            raise _refused(f"the database server of {deployment.name} is gone")
        vault.replace(tx, server.id, Secrets(password=password))
    found.state = AllocationState.ROTATING
    tx.session.flush()


def _renew_own(tx: Tx, vault: Vault, deployment: Deployment, instance_ids: list[str]) -> None:
    why = why_needed(needed_by(tx.session, [deployment.id]).get(deployment.id, ()))
    if deployment.purpose == Purpose.DEDICATED and why is not None:
        raise _refused(f"{deployment.name} shares its password: rotate that of {consumer_name(deployment.name)}")
    if deployment.blueprint != DATABASE_BLUEPRINT:
        raise _refused(f"{deployment.name} has no database")
    _check_reachable(deployment)
    for instance_id in instance_ids:
        vault.replace(tx, instance_id, Secrets(password=secrets.token_urlsafe(_PASSWORD_BYTES)))


def _check_reachable(deployment: Deployment) -> None:
    """A server's password is changed over its port on its host."""
    if not PROVIDERS[deployment.provider].on_host:
        raise _refused(
            f"Berth does not reach servers on {deployment.provider} itself; change the password there by hand"
        )


def _refused(why: str) -> OperationNotAllowed:
    return OperationNotAllowed("rotate", None, (), why)


def _renew(tx: Tx, vault: Vault, table: Table) -> int:
    """Every row on its own, and only as it was read: a value that changed meanwhile has the new key already."""
    identity, column = list(table.primary_key), table.c.ciphertext
    rows = tx.session.execute(select(*identity, column).where(column.is_not(None))).all()
    for row in rows:
        tx.run(
            update(table)
            .where(*(key == row._mapping[key] for key in identity), column == cast(row.ciphertext, LargeBinary))
            .values(ciphertext=vault.renewed(row.ciphertext))
        )
    return len(rows)

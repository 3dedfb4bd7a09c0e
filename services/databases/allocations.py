"""The database of a deployment: allocated before its first instance is made, released after its last one is gone.

Called by `activities.databases`, one short transaction each. Allocating again gives the same database and the same
credentials, whatever failed in between. What a server still needs is awaited by attempts, not inside of one.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, or_, select, update

from blueprints.postgres_sql import APP
from db.models import DatabaseAllocation, Deployment, Instance
from db.session import CHANNEL_RECORDS, Tx
from db.vault import Vault
from domain.databases import AllocationState, DatabaseMode, DatabaseStep, database_names, server_name
from domain.errors import ProviderError, ProviderErrorKind, Refused
from domain.operations import Source, StepStatus
from services.databases.servers import bring_up, make_dedicated, shared_server, take_down
from services.operations.events import instance_event
from services.operations.fence import Owner, check_attempt
from services.operations.steps import Held, closed, hold
from services.operations.works import GrantedDatabase, granted, server_of
from services.places.database_checks import shared_address, shared_fault

_PASSWORD_BYTES = 24


class DatabaseLost(Refused):
    """The server with a deployment's data is gone for good. Only a person may begin with an empty one."""

    code = "database-lost"


@dataclass(frozen=True)
class DatabaseTask:
    """What is to be done about a database now.

    `waiting`: for what, in words; nothing else can be done meanwhile. `database`: to be made or dropped on its
    server; None: nothing is left to do. `mark` tells our role from a stranger's. `only_password`: all but the
    password is the server's own from its birth.
    """

    waiting: str | None = None
    database: GrantedDatabase | None = None
    mark: str = ""
    only_password: bool = False


def begin_database_step(tx: Tx, owner: Owner, instance_id: str, step: DatabaseStep) -> int | None:
    """Open an attempt, or go on with the one that waits. Its number; None: the step is done already."""
    held = hold(tx, owner, instance_id, step_name=step, cancelled_too=False)
    if held.step.status is StepStatus.DONE:
        return None
    attempts = held.step.attempts
    if not attempts or "ended_at" in attempts[-1]:
        held.step.attempts = attempts = [*attempts, {"started_at": held.now.isoformat()}]
    held.step.status = StepStatus.RUNNING
    tx.wake(CHANNEL_RECORDS, held.operation.id)
    return len(attempts)


def ask_for_database(tx: Tx, vault: Vault, server_id: str, owner: Owner, instance_id: str) -> DatabaseTask:
    """Choose the server and the names once, and see to it that the server runs."""
    held = hold(tx, owner, instance_id, step_name=DatabaseStep.ALLOCATE, cancelled_too=False)
    found = tx.session.get(DatabaseAllocation, held.deployment.id, populate_existing=True)
    made = _was_made(tx, held)
    if found is None or not (found.server_deployment_id or found.server_address):
        if made:
            raise _lost(held.deployment, found)
        chosen = _choose(tx, vault, held, found)
        if isinstance(chosen, str):
            return DatabaseTask(waiting=chosen)
        found = chosen
    task = _reached(tx, vault, server_id, held, found)
    if task.waiting is None and made and found.state == AllocationState.READY:
        return DatabaseTask()  # a database that has gone from its server is missed, not made anew
    return task


def _was_made(tx: Tx, held: Held) -> bool:
    """Whether anything of the deployment ever ran with a database: it may hold what nobody can make again."""
    used = select(Instance.id).where(
        Instance.deployment_id == held.deployment.id, Instance.applied_spec.is_not(None)
    )
    return tx.session.scalar(used.limit(1)) is not None


def _lost(deployment: Deployment, former: DatabaseAllocation | None) -> DatabaseLost:
    server = former.server_name if former else "its server"
    return DatabaseLost(
        f"The database of {deployment.name} was lost with {server} on {deployment.provider}. "
        f"`delete` removes {deployment.name}; created anew it begins with an empty database."
    )


def _reached(
    tx: Tx, vault: Vault, server_id: str, held: Held, found: DatabaseAllocation, *, dropping: bool = False
) -> DatabaseTask:
    """The server runs, or what is awaited; a dedicated one has its database from its own birth."""
    since = held.operation.created_at
    if found.server_deployment_id is not None:
        waiting = bring_up(tx, found.server_deployment_id, found.project, since)
        if waiting is not None:
            return DatabaseTask(waiting=waiting)
    database = granted(tx, vault, server_id, found.deployment_id)
    if found.mode == DatabaseMode.DEDICATED:
        rotating = found.state == AllocationState.ROTATING
        return DatabaseTask(database=database, only_password=True) if rotating else DatabaseTask()
    mark = f"berth {server_id} {found.deployment_id}"
    if database is None and not dropping:
        raise ProviderError(ProviderErrorKind.NOT_READY, f"the database server {found.server_name} has just gone")
    return DatabaseTask(database=database, mark=mark)


def _choose(tx: Tx, vault: Vault, held: Held, former: DatabaseAllocation | None) -> DatabaseAllocation | str:
    """A new allocation; of one whose server was lost before anything used it, the same names on another one."""
    deployment = held.deployment
    mode = DatabaseMode((deployment.database or {})["mode"])
    made = former or DatabaseAllocation(
        deployment_id=deployment.id,
        project=deployment.project,
        mode=mode.value,
        state=AllocationState.PENDING,
        created_at=held.now,
    )
    if mode is DatabaseMode.DEDICATED:
        made.server_deployment_id, made.server_name = make_dedicated(tx, deployment), server_name(deployment.name)
        made.database = made.username = APP
    elif (address := shared_address(tx, deployment)) is not None:
        made.server_address, made.server_name = address, address
    elif (fault := shared_fault(tx.session)) is not None:
        raise ProviderError(ProviderErrorKind.INVALID, fault)
    else:
        server = shared_server(tx, deployment)
        if isinstance(server, str):
            return server
        made.server_deployment_id, made.server_name = server.id, server.name
    if mode is DatabaseMode.SHARED and former is None:
        made.ciphertext = vault.encrypt(secrets.token_urlsafe(_PASSWORD_BYTES))
        made.database = made.username = _free_name(tx, deployment, made)
    made.state, made.updated_at = AllocationState.PENDING, held.now
    tx.session.add(made)
    tx.session.flush()
    return made


def _free_name(tx: Tx, deployment: Deployment, made: DatabaseAllocation, refused: str | None = None) -> str:
    """The best name for its database that no other allocation on that server has."""
    names = database_names(deployment.name, deployment.id, deployment.params.get("database_name"))
    if refused in names:
        names = names[names.index(refused) + 1 :]
    taken = set(
        tx.session.scalars(
            select(DatabaseAllocation.database).where(
                DatabaseAllocation.deployment_id != deployment.id,
                or_(
                    DatabaseAllocation.server_deployment_id == made.server_deployment_id,
                    DatabaseAllocation.server_address == made.server_address,
                ),
            )
        )
    )
    name = next((name for name in names if name not in taken), None)
    if name is None:
        raise ProviderError(
            ProviderErrorKind.INVALID,
            f"every name that the database of {deployment.name} could have is somebody else's on "
            f"{made.server_name}; choose another name for the deployment",
        )
    return name


def rename_database(tx: Tx, owner: Owner, instance_id: str) -> None:
    """The name turned out to be a stranger's on the server: take the next one. Only before its first use."""
    held = hold(tx, owner, instance_id, step_name=DatabaseStep.ALLOCATE, cancelled_too=False)
    found = tx.session.get_one(DatabaseAllocation, held.deployment.id, populate_existing=True)
    if found.state != AllocationState.PENDING:
        raise ProviderError(
            ProviderErrorKind.INVALID,
            f"{found.database} on {found.server_name} belongs to somebody else now; nothing of it is touched",
        )
    found.database = found.username = _free_name(tx, held.deployment, found, refused=found.database)


def settle_allocation(tx: Tx, owner: Owner, instance_id: str, attempt: int) -> None:
    """The database is there: the step is done, and the records of the instances name its server."""
    held = hold(tx, owner, instance_id, step_name=DatabaseStep.ALLOCATE)
    if held.step.status is StepStatus.DONE:
        return
    check_attempt(held.step.attempts, attempt)
    found = tx.session.get_one(DatabaseAllocation, held.deployment.id, populate_existing=True)
    found.state, found.updated_at = AllocationState.READY, held.now
    server = server_of(tx, found.server_deployment_id) if found.server_deployment_id else None
    values = {"db_type": found.mode, "db_server_id": server.id if server else found.server_address}
    versions = tx.run(
        update(Instance)
        .where(Instance.deployment_id == held.deployment.id)
        .values(**values, version=Instance.version + 1, updated_at=tx.now)
        .returning(Instance.id, Instance.version)
    )
    version = {row.id: row.version for row in versions}[instance_id]
    _end(tx, held, "ALLOCATED", version, {**values, "server": found.server_name, "database": found.database})


def ask_for_release(tx: Tx, vault: Vault, server_id: str, owner: Owner, instance_id: str) -> DatabaseTask:
    """What must go with the last instance: the database on its server, or the whole server."""
    held = hold(tx, owner, instance_id, step_name=DatabaseStep.RELEASE, cancelled_too=False)
    found = tx.session.get(DatabaseAllocation, held.deployment.id, populate_existing=True)
    if found is None:
        return DatabaseTask()
    found.state, found.updated_at = AllocationState.RELEASING, held.now
    tx.session.flush()
    if not (found.server_deployment_id or found.server_address):
        return DatabaseTask()  # its server was declared lost
    if found.mode == DatabaseMode.DEDICATED and found.server_deployment_id is not None:
        since = held.operation.created_at
        return DatabaseTask(waiting=take_down(tx, found.server_deployment_id, found.project, since))
    return _reached(tx, vault, server_id, held, found, dropping=True)


def settle_release(tx: Tx, owner: Owner, instance_id: str, attempt: int) -> None:
    """The database is gone: the step is done, and its credentials are forgotten."""
    held = hold(tx, owner, instance_id, step_name=DatabaseStep.RELEASE)
    if held.step.status is StepStatus.DONE:
        return
    check_attempt(held.step.attempts, attempt)
    found = tx.session.execute(
        delete(DatabaseAllocation)
        .where(DatabaseAllocation.deployment_id == held.deployment.id)
        .returning(DatabaseAllocation.server_name, DatabaseAllocation.database)
    ).one_or_none()
    data = {"server": found.server_name, "database": found.database} if found else {}
    _end(tx, held, "RELEASED", None, data)


def _end(tx: Tx, held: Held, what: str, version: int | None, data: dict[str, Any]) -> None:
    held.step.attempts = closed(held.step.attempts, held.now, None)
    held.step.status = StepStatus.DONE
    held.step.message = None
    instance_event(
        tx,
        held.operation,
        held.row.id,
        what,
        event="DATABASE",
        version=version,
        change=(held.row.status, held.row.status),
        source=Source.BACKEND,
        cloud_instance_id=held.row.cloud_instance_id,
        data={"name": held.deployment.name, **data},
    )

"""What the records say about databases: is there a place for one, are its names free, may a server go.

Called by the doors (`services.requests`), by Plan, by allocation (`services.databases`) and by the views for their
reasons. One function writes: a starting worker (`agent.composition`) announces the shared server.
"""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from blueprints.registry import BLUEPRINTS
from db.models import DatabaseAllocation, Deployment, Meta
from db.session import Tx
from domain.databases import AllocationState, DatabaseMode, ServerAddress, consumer_name, server_name
from domain.errors import FieldError, InvalidInput, NameTaken, OperationNotAllowed
from domain.lifecycle import Operation
from domain.limits import NAME_LENGTH
from domain.specs import NewDeployment
from domain.work import Form
from providers.entry import ProviderEntry
from providers.registry import PROVIDERS
from services.places import catalog

_SHARED = "shared_database"
_SHARED_FAULT = "shared_database_fault"
DATABASE_BLUEPRINT = "postgres"


def announce_shared_server(tx: Tx, address: ServerAddress | None, fault: str | None = None) -> None:
    """Let the API know whether a shared server is configured, and where: only workers have its credentials.

    `fault`: why what is configured cannot be used.
    """
    for key, value in ((_SHARED, str(address) if address else None), (_SHARED_FAULT, fault)):
        if value is None:
            tx.session.execute(delete(Meta).where(Meta.key == key))
            continue
        row = insert(Meta).values(key=key, value=value)
        tx.session.execute(row.on_conflict_do_update(index_elements=["key"], set_={"value": value}))


def configured_server(session: Session) -> str | None:
    """Host and port of the shared server that is configured, if one is."""
    return session.scalar(select(Meta.value).where(Meta.key == _SHARED))


def shared_fault(session: Session) -> str | None:
    """Why there can be no shared databases, where somebody meant to configure their server."""
    reason = session.scalar(select(Meta.value).where(Meta.key == _SHARED_FAULT))
    return f"shared databases are not configured: {reason}; correct it and restart the worker" if reason else None


def shared_address(tx: Tx, deployment: Deployment) -> str | None:
    """Where a deployment's database is or will be, when that server is not Berth's."""
    found = tx.session.get(DatabaseAllocation, deployment.id)
    if found is not None and (found.server_address or found.server_deployment_id):
        return found.server_address
    wants = (deployment.database or {}).get("mode")
    return configured_server(tx.session) if wants == DatabaseMode.SHARED else None


def must_be_allocated(tx: Tx, deployment: Deployment) -> bool:
    """Whether something is to be seen to before anything logs in.

    A server of Berth's may be down or lost; on one that is not, a password may be new.
    """
    found = tx.session.get(DatabaseAllocation, deployment.id)
    return found is None or found.server_address is None or found.state != AllocationState.READY


def check_wanted(tx: Tx, project: str, wanted: NewDeployment) -> None:
    """Refuse what would fail at its database. Raises `InvalidInput` or `NameTaken`.

    The name of a server that is yet to be made counts as taken.
    """
    mode = (wanted.spec.database or {}).get("mode")
    if mode == DatabaseMode.DEDICATED:
        _check_dedicated(tx, project, wanted)
    elif mode == DatabaseMode.SHARED:
        _check_shared(tx, wanted.provider)
    consumer = consumer_name(wanted.name)
    if consumer is not None:
        _lock_name(tx, project, wanted.name)
        promised = select(Deployment.name).where(
            Deployment.project == project,
            Deployment.name == consumer,
            Deployment.database["mode"].astext == DatabaseMode.DEDICATED,
        )
        if tx.session.scalar(promised) is not None:
            raise NameTaken(wanted.name)


def _check_dedicated(tx: Tx, project: str, wanted: NewDeployment) -> None:
    if not catalog.runs(PROVIDERS[wanted.provider], BLUEPRINTS[DATABASE_BLUEPRINT]):
        raise InvalidInput(
            FieldError("/database/mode", f"no database server of its own can run on {wanted.provider}")
        )
    server = server_name(wanted.name)
    if len(server) > NAME_LENGTH:
        longest = NAME_LENGTH - len(server) + len(wanted.name)
        raise InvalidInput(
            FieldError("/name", f"too long: its database server will be {server!r}; at most {longest} characters")
        )
    _lock_name(tx, project, server)
    taken = select(Deployment.id).where(Deployment.project == project, Deployment.name == server)
    if tx.session.scalar(taken) is not None:
        raise NameTaken(server)


def _check_shared(tx: Tx, provider: str) -> None:
    entry = PROVIDERS[provider]
    if (fault := shared_fault(tx.session)) is not None:
        raise InvalidInput(FieldError("/database/mode", fault))
    if (configured := configured_server(tx.session)) is not None:
        _check_within_reach(ServerAddress.read(configured), entry)
    elif not (entry.on_host and catalog.runs(entry, BLUEPRINTS[DATABASE_BLUEPRINT])):
        raise InvalidInput(
            FieldError(
                "/database/mode",
                f"no shared database server is configured for {provider}: set BERTH_SHARED_DATABASE_URL for the "
                'worker and restart it, or choose "dedicated"',
            )
        )


def _check_within_reach(server: ServerAddress, entry: ProviderEntry) -> None:
    if server.is_loopback and entry.form in {Form.CONTAINER, Form.MACHINE}:
        raise InvalidInput(
            FieldError(
                "/database/mode",
                f"BERTH_SHARED_DATABASE_URL names {server.host}, where what runs on {entry.name} would find only "
                'itself: set an address that it reaches and restart the worker, or choose "dedicated"',
            )
        )


def _lock_name(tx: Tx, project: str, name: str) -> None:
    """Two creates at once, one of which promises the name that the other takes, go one after the other."""
    key = func.hashtextextended(f"name/{project}/{name}", 0)
    tx.session.execute(select(func.pg_advisory_xact_lock(key)))


def needed_by(session: Session, deployment_ids: Collection[str]) -> dict[str, list[str]]:
    """Of each database server: the deployments that have their database on it."""
    if not deployment_ids:
        return {}
    rows = session.execute(
        select(DatabaseAllocation.server_deployment_id, Deployment.name)
        .join(Deployment, Deployment.id == DatabaseAllocation.deployment_id)
        .where(DatabaseAllocation.server_deployment_id.in_(deployment_ids))
        .order_by(Deployment.name)
    )
    found: dict[str, list[str]] = {}
    for server, consumer in rows:
        found.setdefault(str(server), []).append(consumer)
    return found


def why_needed(consumers: Collection[str]) -> str | None:
    """Why a database server must stay, and what to do; None when nobody needs it."""
    names = list(consumers)
    if not names:
        return None
    few = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    return f"it holds the database of {few}; delete {'that' if len(names) == 1 else 'those'} first"


def check_not_needed(tx: Tx, deployment: Deployment) -> None:
    """Raise `OperationNotAllowed` when deployments that live have their database on this one."""
    why = why_needed(needed_by(tx.session, [deployment.id]).get(deployment.id, ()))
    if why is not None:
        raise OperationNotAllowed(Operation.DELETE.value, None, (), f"{deployment.name} cannot go: {why}")

"""The servers that hold databases: Berth's own deployments, asked for and removed through the ordinary doors.

Called by `services.databases.allocations` inside an activity's transaction. Nothing here waits: what is under way
is said in words, and a later attempt looks again.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import func, select

from db.models import Deployment, Instance
from db.session import Tx
from domain.databases import SHARED_SERVER, Purpose, server_name
from domain.errors import NotFound, Refused
from domain.lifecycle import IN_PROGRESS, Operation, Status
from domain.operations import ErrorOrigin, OperationStatus, RestartPolicy, Source
from domain.specs import Ask, Caller, NewDeployment, Spec
from services.operations.acceptance import holder_of, last_operation, lock_deployment
from services.operations.works import server_of
from services.places.database_checks import DATABASE_BLUEPRINT
from services.requests import changes, repeats, withdrawals

_RESOURCES = {"cpu": 0.5, "memory_mb": 512, "disk_gb": 5}
"""Of a server that Berth makes: small, and independent of what uses it."""


class ServerFailed(Refused):
    """The database's server could not be brought up. Its own operation tells why."""

    code = "database-server-failed"


def _ask(project: str) -> Ask:
    return Ask(Caller("berth", project, Source.BERTH))


def make_dedicated(tx: Tx, consumer: Deployment) -> str:
    """Accept the server that only `consumer` uses, beside it. Returns its deployment's id."""
    return _make(tx, consumer, server_name(consumer.name), Purpose.DEDICATED, {"database-of": consumer.name})


def shared_server(tx: Tx, consumer: Deployment) -> Deployment | str:
    """The project's common server where `consumer` runs, accepted if there is none; else what must be awaited."""
    place = f"{consumer.project}/{consumer.provider}/{consumer.host_id or ''}"
    tx.session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"shared-database/{place}", 0))))
    found = tx.session.scalar(
        select(Deployment.id).where(
            Deployment.project == consumer.project,
            Deployment.provider == consumer.provider,
            func.coalesce(Deployment.host_id, "") == (consumer.host_id or ""),
            Deployment.purpose == Purpose.SHARED,
        )
    )
    if found is None:
        name = _free_name(tx, consumer)
        found = _make(tx, consumer, name, Purpose.SHARED, {"purpose": Purpose.SHARED.value})
    try:
        server = lock_deployment(tx, found, consumer.project)
    except NotFound:
        return "the former shared server has just gone"
    return f"{server.name} is being deleted" if _is_going(tx, server) else server


def _free_name(tx: Tx, consumer: Deployment) -> str:
    tail = (consumer.host_id or consumer.id)[-6:]
    wanted = [SHARED_SERVER, f"{SHARED_SERVER}-{consumer.provider}", f"{SHARED_SERVER}-{consumer.provider}-{tail}"]
    taken = set(
        tx.session.scalars(
            select(Instance.name).where(Instance.project == consumer.project, Instance.name.in_(wanted))
        )
    )
    return next((name for name in wanted if name not in taken), wanted[-1])


def _make(tx: Tx, consumer: Deployment, name: str, purpose: Purpose, labels: dict[str, str]) -> str:
    spec = Spec(resources=_RESOURCES, labels=labels, restart_policy=RestartPolicy.ON_FAILURE)
    wanted = NewDeployment(name, DATABASE_BLUEPRINT, consumer.provider, spec)
    return changes.create(tx, _ask(consumer.project), wanted, consumer.host_id, purpose=purpose).deployment_id


def _is_going(tx: Tx, server: Deployment) -> bool:
    holder = holder_of(tx, server.id)
    row = server_of(tx, server.id)
    begun = row is None or row.termination_requested_at is not None
    return begun or (holder is not None and holder.kind is Operation.DELETE)


def bring_up(tx: Tx, server_id: str, project: str, since: datetime) -> str | None:
    """Ask for what makes the server run. Returns what must be awaited, None when it runs.

    A failure that is older than `since` is tried again once; a newer one is final. Raises `ServerFailed`.
    """
    try:
        server = lock_deployment(tx, server_id, project)
    except NotFound:
        return "the former server has just gone"
    holder = holder_of(tx, server.id)
    if holder is not None:
        pending = holder.status is OperationStatus.PENDING
        return f"{holder.kind} of {server.name} is {'waiting to begin' if pending else 'in progress'}"
    row = server_of(tx, server.id)
    if row is None or row.status in IN_PROGRESS:
        return f"{server.name} is between two operations"
    if row.status is Status.RUNNING:
        return None
    if row.status is Status.ERROR:
        return _mend(tx, server, row, since)
    if row.status is not Status.STOPPED:
        raise ServerFailed(f"The database server {server.name} is in {row.status}; end that first.")
    changes.act(tx, _ask(project), Operation.START, server.id)
    return f"{server.name} was stopped and is started"


def _mend(tx: Tx, server: Deployment, row: Instance, since: datetime) -> str:
    if row.termination_requested_at is not None:
        raise ServerFailed(f"The database server {server.name} is half deleted; delete it whole first.")
    failed = last_operation(tx, server.id, row.id)
    if row.error_origin is ErrorOrigin.MONITOR or failed is None or not failed.status.repeatable:
        changes.act(tx, _ask(server.project), Operation.START, server.id)
        return f"{server.name} was found down and is started"
    if failed.created_at >= since:
        raise ServerFailed(f"The database server {server.name} failed: {row.error_message}")
    repeats.retry(tx, _ask(server.project), failed.id)
    return f"{failed.kind} of {server.name} is tried again"


def take_down(tx: Tx, server_id: str, project: str, since: datetime) -> str | None:
    """Ask for the end of a dedicated server. Returns what must be awaited, None when it is gone."""
    try:
        server = lock_deployment(tx, server_id, project)
    except NotFound:
        return None
    holder = holder_of(tx, server.id)
    if holder is not None and holder.kind is Operation.DELETE:
        return f"{server.name} is being deleted"
    last = last_operation(tx, server.id)
    if last is not None and last.kind is Operation.DELETE and last.created_at >= since and last.status.done:
        cause = (last.error or {}).get("message", f"its delete is {last.status}")
        raise ServerFailed(f"The database server {server.name} could not be deleted: {cause}")
    withdrawals.delete(tx, _ask(project), server.id, by_berth=True)
    return f"{server.name} is being deleted"

"""An instance as programs outside see it, with what can be done with it now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, select
from sqlalchemy.orm import Session

from db.models import Host
from db.queries import operations as operation_queries
from domain.actions import Holder, Situation
from domain.changes import differences
from domain.health import shown
from domain.lifecycle import Status
from domain.operations import ErrorOrigin, OperationStatus, Source
from services.places import catalog
from services.places.database_checks import DATABASE_BLUEPRINT, needed_by, why_needed
from services.places.placement import is_lost, is_silent
from services.views.actions import action_forms, button_forms
from services.views.common import JsonObject, iso, lifecycle_state
from services.views.holds import Holding
from services.views.holds import read as read_holding
from services.views.operations import Briefs, OperationForms


@dataclass(frozen=True)
class Surroundings:
    """What the records of one page share, read with one query each."""

    now: datetime
    holders: Mapping[str, Row[Any]]
    lasts: Mapping[str, Row[Any]]
    lost_hosts: frozenset[str]
    silent_hosts: frozenset[str]
    needed: Mapping[str, str]
    """Of deployments that hold the database of others: why they must stay."""
    holding: Holding


def surroundings(session: Session, rows: Sequence[Row[Any]], now: datetime) -> Surroundings:
    """Read what the forms of `rows` need beside the rows themselves."""
    holders = operation_queries.holders(session, {row.deployment_id for row in rows})
    holding = read_holding(session, {row.deployment_id for row in rows}, {row.id for row in rows})
    failed = {row.operation_id for row in rows if row.status is Status.ERROR and row.operation_id}
    lasts = operation_queries.by_ids(session, failed)
    seen = _hosts_seen(session, rows)
    lost = frozenset(host for host, at in seen.items() if at is None or is_lost(at, now))
    silent = frozenset(host for host, at in seen.items() if at is None or is_silent(at, now))
    return Surroundings(now, holders, lasts, lost, silent, _needed(session, rows), holding)


def _needed(session: Session, rows: Sequence[Row[Any]]) -> dict[str, str]:
    servers = {row.deployment_id for row in rows if row.blueprint == DATABASE_BLUEPRINT}
    found = needed_by(session, servers)
    return {server: why for server, names in found.items() if (why := why_needed(names)) is not None}


def _hosts_seen(session: Session, rows: Sequence[Row[Any]]) -> dict[str, datetime | None]:
    """When each host of these rows was seen last; None: it is not known any more."""
    ids = {row.host_id for row in rows if row.host_id}
    if not ids:
        return {}
    found = session.execute(select(Host.id, Host.last_seen_at).where(Host.id.in_(ids)))
    return dict.fromkeys(ids) | {row.id: row.last_seen_at for row in found}


@dataclass(frozen=True)
class InstanceForms:
    """What turns rows into forms. Built once by the API."""

    operations: OperationForms

    def many(self, session: Session, rows: Sequence[Row[Any]], now: datetime) -> list[JsonObject]:
        """The forms of some rows; the number of queries does not depend on how many."""
        around = surroundings(session, rows, now)
        briefs = self.operations.briefs_in(session, around.holders.values(), now)
        return [self._form(row, around, briefs) for row in rows]

    def one(self, session: Session, row: Row[Any], now: datetime) -> JsonObject:
        """The form of one row."""
        return self.many(session, [row], now)[0]

    def _form(self, row: Row[Any], around: Surroundings, briefs: Briefs) -> JsonObject:
        holder = around.holders.get(row.deployment_id)
        mine = holder is not None and row.id in holder.instance_ids
        current = briefs.of(holder, row.id) if holder is not None and mine else None
        latest = holder if mine else around.lasts.get(row.operation_id or "")
        return {
            **_identity(row),
            **_specs(row),
            **_dimensions(row, around.now),
            **_cloud(row),
            "version": row.version,
            "deployment_version": row.deployment_version,
            "current_operation": current,
            "last_failed_operation_id": latest.id if latest is not None and _repeatable(row, latest) else None,
            "allowed_actions": action_forms(situation(row, around)),
            **_times(row),
            **around.holding.forms(row),
            "temporal_url": self._temporal_url(row, latest),
        }

    def rows(self, session: Session, rows: Sequence[Row[Any]], now: datetime) -> list[JsonObject]:
        """For tables of many rows: without specs and times, and of the actions the buttons alone."""
        around = surroundings(session, rows, now)
        briefs = self.operations.briefs_in(session, around.holders.values(), now)
        return [self._row(row, around, briefs) for row in rows]

    def _row(self, row: Row[Any], around: Surroundings, briefs: Briefs) -> JsonObject:
        holder = around.holders.get(row.deployment_id)
        mine = holder is not None and row.id in holder.instance_ids
        return {
            **_identity(row),
            **_dimensions(row, around.now),
            "labels": row.labels,
            "endpoint": row.endpoint,
            "pending_changes": _differs(row),
            "version": row.version,
            "current_operation": briefs.of(holder, row.id) if holder is not None and mine else None,
            "allowed_actions": button_forms(situation(row, around)),
            **around.holding.forms(row),
            **_changed(row),
        }

    def _temporal_url(self, row: Row[Any], latest: Row[Any] | None) -> str | None:
        return self.operations.links.run(f"deployment-{row.deployment_id}", latest.run_id if latest else None)


def situation(row: Row[Any], around: Surroundings) -> Situation:
    """What decides about the actions on one instance."""
    holder = around.holders.get(row.deployment_id)
    last = around.lasts.get(row.operation_id or "")
    return Situation(
        row.status,
        row.role,
        row.blueprint,
        catalog.offered(row.blueprint),
        delete_begun=row.termination_requested_at is not None,
        error_origin=row.error_origin,
        repeatable=last is not None and _repeatable(row, last),
        holder=_holder(holder, row.id) if holder is not None else None,
        stuck=_stuck(holder, around.now),
        host_silent=row.host_id in around.silent_hosts,
        host_lost=row.host_id in around.lost_hosts,
        needed=around.needed.get(row.deployment_id),
        holds=around.holding.standing(row.deployment_id),
        protected=row.deletion_protection,
        maintenance_planned=around.holding.planned(row.id),
    )


def _holder(row: Row[Any], instance_id: str) -> Holder:
    return Holder(row.id, row.kind, row.status, instance_id in row.instance_ids, Source(row.source))


def _stuck(holder: Row[Any] | None, now: datetime) -> bool:
    return (
        holder is not None
        and holder.status is OperationStatus.RUNNING
        and holder.deadline_at is not None
        and holder.deadline_at < now
    )


def _repeatable(row: Row[Any], last: Row[Any]) -> bool:
    return (
        row.status is Status.ERROR
        and row.error_origin is not ErrorOrigin.MONITOR
        and last.status.repeatable
        and row.id in last.instance_ids
    )


def _identity(row: Row[Any]) -> JsonObject:
    return {
        "id": row.id,
        "instance_id": row.id,
        "name": row.name,
        "deployment_id": row.deployment_id,
        "deployment_name": row.deployment_name,
        "project": row.project,
        "role": row.role.value,
        "blueprint": row.blueprint,
        "provider": row.provider,
        "host": row.host_name or row.host_id,
        "host_id": row.host_id,
    }


def _desired(row: Row[Any]) -> JsonObject:
    desired = {"params": row.desired_params, "resources": row.desired_resources}
    return {**desired, "secrets": row.desired_secrets} if row.desired_secrets else desired


def _differs(row: Row[Any]) -> bool:
    """Whether what reached the real object is not what is desired."""
    return row.applied_spec is not None and bool(row.applied_spec != _desired(row))


def _specs(row: Row[Any]) -> JsonObject:
    desired = _desired(row)
    # Mostly they are equal, and comparing is cheaper than listing.
    applied = row.applied_spec if row.applied_spec is not None else desired
    changes = differences(applied, desired) if applied != desired else []
    return {
        "spec": {
            **desired,
            "members": row.members,
            "labels": row.labels,
            "restart_policy": row.restart_policy.value,
            "timeouts": row.timeouts,
            "database": row.database,
        },
        "applied_spec": row.applied_spec,
        "pending_changes": [{"path": path, "from": old, "to": new} for path, old, new in changes],
        "resources": applied["resources"],
        "labels": row.labels,
    }


def _dimensions(row: Row[Any], now: datetime) -> JsonObject:
    """Status, provisioning, billing and health: apart, never merged."""
    health = shown(row.health, row.health_checked_at, row.status, now)
    return {
        "status": row.status.value,
        "lifecycle_state": lifecycle_state(row.status, health),
        "provisioning_status": row.provisioning_status.value,
        "billing_status": row.billing_status.value,
        "health": health.value,
        "health_checked_at": iso(row.health_checked_at),
        "health_reason": row.health_reason if health is row.health else None,
        "provider_state": row.provider_state,
        "provider_state_at": None,
        "error_code": row.error_code,
        "error_message": row.error_message,
        "error_origin": row.error_origin.value if row.error_origin else None,
    }


def _cloud(row: Row[Any]) -> JsonObject:
    return {
        "endpoint": row.endpoint,
        "port": row.port,
        "cloud_instance_id": row.cloud_instance_id,
        "instance_type": row.instance_type,
        "availability_zone": row.availability_zone,
        "customer_id": row.customer_id,
        "db_type": row.db_type,
        "db_server_id": row.db_server_id,
    }


def _times(row: Row[Any]) -> JsonObject:
    return {
        "launch_requested_at": iso(row.launch_requested_at),
        "launch_confirmed_at": iso(row.launch_confirmed_at),
        "launch_duration_seconds": row.launch_duration_seconds,
        "termination_requested_at": iso(row.termination_requested_at),
        "termination_confirmed_at": iso(row.termination_confirmed_at),
        "termination_duration_seconds": row.termination_duration_seconds,
        **_changed(row),
    }


def _changed(row: Row[Any]) -> JsonObject:
    return {
        "created_at": iso(row.created_at),
        "updated_at": iso(row.updated_at),
        "changed_at": iso(row.changed_at),
        "changed_by": row.changed_by,
    }


def repeats(row: Row[Any], around: Surroundings) -> str | None:
    """The failed operation that a retry of this instance repeats."""
    last = around.lasts.get(row.operation_id or "")
    return last.id if last is not None and _repeatable(row, last) else None

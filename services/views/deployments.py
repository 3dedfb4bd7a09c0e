"""A deployment as programs outside see it: its spec, its computed status, its members."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row
from sqlalchemy.orm import Session

from db.queries import instances as instance_queries
from db.queries import operations as operation_queries
from domain.changes import deployment_status
from services.views.common import JsonObject, iso
from services.views.holds import read as read_holding
from services.views.instances import InstanceForms


@dataclass(frozen=True)
class DeploymentForms:
    """What turns rows into forms."""

    instances: InstanceForms

    def many(self, session: Session, rows: Sequence[Row[Any]], now: datetime) -> list[JsonObject]:
        """For a list: members in brief."""
        ids = [row.id for row in rows]
        members: dict[str, list[Row[Any]]] = {}
        for member in instance_queries.of_deployments(session, ids) if ids else ():
            members.setdefault(member.deployment_id, []).append(member)
        currents, holding = self._currents(session, ids, now), read_holding(session, ids)
        forms = []
        for row in rows:
            own = members.get(row.id, [])
            brief = [
                {"id": m.id, "name": m.name, "role": m.role.value, "status": m.status.value, "version": m.version}
                for m in own
            ]
            forms.append(self._form(row, own, brief, currents.get(row.id)) | holding.billing(row, row.id))
        return forms

    def one(self, session: Session, row: Row[Any], now: datetime) -> JsonObject:
        """With the members' whole records."""
        own = instance_queries.of_deployments(session, [row.id])
        current = self._currents(session, [row.id], now).get(row.id)
        form = self._form(row, own, self.instances.many(session, own, now), current)
        return form | read_holding(session, [row.id]).billing(row, row.id)

    def _currents(self, session: Session, ids: Collection[str], now: datetime) -> dict[str, JsonObject]:
        """What works on each deployment, in brief."""
        holders = operation_queries.holders(session, ids)
        briefs = self.instances.operations.briefs_in(session, holders.values(), now)
        return {deployment_id: briefs.of(row) for deployment_id, row in holders.items()}

    def _form(
        self,
        row: Row[Any],
        members: Sequence[Row[Any]],
        shown: list[JsonObject],
        current: JsonObject | None,
    ) -> JsonObject:
        status = deployment_status(m.status for m in members)
        return {
            "id": row.id,
            "name": row.name,
            "project": row.project,
            "blueprint": row.blueprint,
            "provider": row.provider,
            "host": row.host_name or row.host_id,
            "host_id": row.host_id,
            "spec": {
                "params": row.params,
                "resources": row.resources,
                **({"secrets": row.secret_revisions} if row.secret_revisions else {}),
                "members": row.members,
                "labels": row.labels,
                "restart_policy": row.restart_policy.value,
                "timeouts": row.timeouts,
                "database": row.database,
            },
            "members": row.members,
            "generation": row.generation,
            "version": row.version,
            "status": status.value if status else None,
            "instances": shown,
            "current_operation": current,
            "deletion_protection": row.deletion_protection,
            "created_at": iso(row.created_at),
            "updated_at": iso(row.updated_at),
        }

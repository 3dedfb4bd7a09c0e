"""What keeps an instance from running or going, as programs outside see it: holds, maintenance, protection."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Row, select
from sqlalchemy.orm import Session

from db.models import Maintenance
from db.queries.holds import deciding, of_deployments
from domain.billing import kept_back
from domain.holds import Standing, still_held
from services.views.common import JsonObject, iso


@dataclass(frozen=True)
class Holding:
    """The holds of some deployments, what decides about them, and the maintenance of some instances."""

    holds: Mapping[str, Sequence[Row[Any]]] = field(default_factory=dict)
    decide: Mapping[str, tuple[Standing, ...]] = field(default_factory=dict)
    windows: Mapping[str, Row[Any]] = field(default_factory=dict)

    def standing(self, deployment_id: str) -> tuple[Standing, ...]:
        """What decides about actions."""
        return self.decide.get(deployment_id, ())

    def planned(self, instance_id: str) -> bool:
        """Whether a maintenance waits for its time."""
        window = self.windows.get(instance_id)
        return window is not None and window.began_at is None

    def forms(self, row: Row[Any]) -> JsonObject:
        """The fields of an instance. `hold` is the one that stands longest; `holds` are all."""
        holds = [_hold(hold) for hold in self.holds.get(row.deployment_id, ())]
        window = self.windows.get(row.id)
        return {
            "hold": holds[0] if holds else None,
            "holds": holds,
            "suspended_from": row.suspended_from,
            "maintenance": _window(window) if window is not None else None,
            "deletion_protection": row.deletion_protection,
            **self.billing(row, row.deployment_id),
        }

    def billing(self, row: Row[Any], deployment_id: str) -> JsonObject:
        """Whether it is wanted still, and what billing wants that it has not got; of a deployment or a member."""
        failed = [
            hold.failed for hold in self.holds.get(deployment_id, ()) if hold.paid and hold.failed is not None
        ]
        kept = kept_back(row.subscription, row.deletion_protection, row.billing_alert)
        return {"subscription": row.subscription, "notice": kept or (still_held(failed[0]) if failed else None)}


def read(session: Session, deployment_ids: Collection[str], instance_ids: Collection[str] = ()) -> Holding:
    """Read all of it, with one query each."""
    holds: dict[str, list[Row[Any]]] = {}
    for row in of_deployments(session, deployment_ids) if deployment_ids else ():
        holds.setdefault(row.deployment_id, []).append(row)
    found = select(*Maintenance.__table__.columns).where(Maintenance.instance_id.in_(instance_ids))
    windows = {row.instance_id: row for row in session.execute(found)} if instance_ids else {}
    return Holding(holds, deciding(session, deployment_ids) if deployment_ids else {}, windows)


def _hold(row: Row[Any]) -> JsonObject:
    """What is paid is neither due nor deleted, whatever was written when the hold was placed."""
    return {
        "cause": row.cause.value,
        "by": row.actor,
        "since": iso(row.since),
        "note": still_held(row.failed) if row.paid else row.note,
        "deletes_at": None if row.paid else iso(row.deletes_at),
    }


def _window(row: Row[Any]) -> JsonObject:
    """`since`: when it began, or was asked for while it is planned."""
    return {
        "from": iso(row.begins_at),
        "until": iso(row.until),
        "by": row.actor,
        "since": iso(row.began_at or row.requested_at),
        "note": row.note,
        "begun": row.began_at is not None,
    }

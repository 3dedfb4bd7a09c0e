"""Objects at providers that belong to no living instance: what each is, and whether a sweep may take it away.

An instance id is never given twice, and its row stands before its object and until after it. So an object whose
instance lives is never an orphan, one whose life is finished is always one, and of any other nobody knows: a
person has to name it. What this Berth did not sign is shown and never touched.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.models import Instance, InstanceRun
from db.session import Tx
from domain.operations import Reason

Item = Mapping[str, Any]
"""One `InventoryItem` as JSON."""


class Why(StrEnum):
    """What an object without a living instance is."""

    FINISHED = "finished life"
    UNKNOWN = "unknown"
    AMBIGUOUS = "ambiguous"
    NOT_OURS = "not ours"


_REASONS = {
    Why.FINISHED: "its instance was terminated; the sweep removes it",
    Why.UNKNOWN: "it is signed by this Berth, but no record knows its instance; it is removed when it is named",
    Why.NOT_OURS: "it is another Berth's, or its signature is not ours; this Berth never touches it",
}


@dataclass(frozen=True)
class Spot:
    """Where objects were seen: a provider, and the host where it is bound to one."""

    provider: str
    host_id: str | None = None


@dataclass(frozen=True)
class Orphan:
    """One object with what is known of it."""

    spot: Spot
    item: Item
    why: Why
    reason: str
    project: str | None = None
    name: str | None = None
    ended_at: Any = None

    @property
    def provider_id(self) -> str:
        return str(self.item["provider_id"])

    def may_go(self, *, named: bool) -> bool:
        """Whether a sweep may remove it."""
        return self.why is Why.FINISHED or (named and self.why is Why.UNKNOWN)


def judge(session: Session, spot: Spot, items: Sequence[Item]) -> list[Orphan]:
    """Those of a place's objects that are not simply the object of an instance that lives."""
    ids = {item["instance_id"] for item in items if item.get("instance_id")}
    living: dict[str, Any] = {row.id: row for row in session.execute(_LIVING.where(Instance.id.in_(ids)))}
    ended: dict[str, Any] = {
        row.instance_id: row for row in session.execute(_ENDED.where(InstanceRun.instance_id.in_(ids)))
    }
    times = Counter(item["provider_id"] for item in items)
    found = []
    for item in items:
        instance_id = str(item.get("instance_id"))
        why, reason = _why(spot, item, living.get(instance_id), instance_id in ended)
        if why is None:
            continue
        if item.get("owned") and times[item["provider_id"]] > 1:
            why, reason = Why.AMBIGUOUS, f"{times[item['provider_id']]} objects answer to this id"
        run = ended.get(instance_id) if why is not Why.NOT_OURS else None
        known = (run.project, run.name, run.terminated_at) if run is not None else ()
        found.append(Orphan(spot, item, why, reason, *known))
    return found


_LIVING = select(Instance.id, Instance.name, Instance.provider, Instance.host_id, Instance.cloud_instance_id)
_ENDED = select(InstanceRun.instance_id, InstanceRun.project, InstanceRun.name, InstanceRun.terminated_at)


def _why(spot: Spot, item: Item, row: Any, is_ended: bool) -> tuple[Why | None, str]:
    if not item.get("owned"):
        return Why.NOT_OURS, _REASONS[Why.NOT_OURS]
    if row is not None:
        return _beside(spot, item, row)
    why = Why.FINISHED if is_ended else Why.UNKNOWN
    return why, _REASONS[why]


def _beside(spot: Spot, item: Item, row: Any) -> tuple[Why | None, str]:
    """What carries a living instance's id and is not what its record names. None: it is the very object."""
    if (row.provider, row.host_id) != (spot.provider, spot.host_id):
        return Why.AMBIGUOUS, f"{row.name} lives elsewhere: on {row.host_id or row.provider}"
    if row.cloud_instance_id is not None and row.cloud_instance_id != item["provider_id"]:
        return Why.AMBIGUOUS, f"{row.name} lives, and its record names {row.cloud_instance_id}"
    return None, ""


def why_not(session: Session, instance_id: str | None, *, named: bool) -> str | None:
    """Asked directly before an object is removed: what speaks against it now. None: nothing."""
    if instance_id is None:
        return "nothing says whose it is"
    if session.scalar(select(Instance.id).where(Instance.id == instance_id)) is not None:
        return f"{instance_id} lives"
    is_ended = session.scalar(select(InstanceRun.run_id).where(InstanceRun.instance_id == instance_id)) is not None
    return None if is_ended or named else f"{instance_id} is unknown, and nobody named its object"


@dataclass(frozen=True)
class Sweeper:
    """Who has it done."""

    actor: str
    source: str
    project: str


def note(tx: Tx, sweeper: Sweeper, orphan: Orphan, what: str, **more: Any) -> None:
    """The event of one removal: `REMOVE_REQUESTED`, `REMOVED` or `REMOVE_FAILED`."""
    tx.emit(
        project=orphan.project or sweeper.project,
        event_type=f"ORPHAN_{what}",
        instance_id=orphan.item.get("instance_id"),
        deployment_id=orphan.item.get("deployment_id") or "",
        operation_id=None,
        version=None,
        status=None,
        from_status=None,
        to_status=None,
        source=sweeper.source,
        reason=Reason.CLEANUP,
        confirmation_method=None,
        actor=sweeper.actor,
        cloud_instance_id=orphan.provider_id,
        data={
            "provider": orphan.spot.provider,
            "host_id": orphan.spot.host_id,
            "provider_id": orphan.provider_id,
            "why": orphan.why,
            "name": orphan.name,
            **more,
        },
    )

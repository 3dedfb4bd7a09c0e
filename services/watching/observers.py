"""Who watches a scope: one leased observer at a time. A new holder raises the epoch, which fences a late one.

A scope is a provider, or a provider on one host. Nobody has to notice that an observer died: its lease runs out,
another takes the scope, and until then the age of what it last saw tells (`domain.health`).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from db.models import Instance, InstanceRun, LifecycleEvent, Observer
from db.session import Tx
from domain.glimpses import Glimpse
from domain.lifecycle import Health
from domain.operations import Source
from services.watching.orphans import Spot

LEASE = timedelta(seconds=6)
RENEW_SECONDS = 2.0
NOBODY = ""
OUTAGE_SAYS = "its listing lacks"
"""How the trouble of an outage begins."""
DEFAULT_PROJECT = "default"
"""Where an object is told of whose owner nobody knows."""
_CHUNK = 1000


@dataclass(frozen=True)
class Lease:
    """What an observer holds of its scope."""

    spot: Spot
    epoch: int

    @property
    def scope(self) -> str:
        return scope_of(self.spot)


@dataclass(frozen=True)
class Report:
    """What an observer says of itself whenever it renews. `full`: everything was compared since the last time."""

    streaming: bool = False
    full: bool = False
    watched: int = 0
    orphans: int = 0
    trouble: str | None = None


def scope_of(spot: Spot) -> str:
    """`docker/host_…`, `ec2`."""
    return spot.provider if spot.host_id is None else f"{spot.provider}/{spot.host_id}"


def take(tx: Tx, spot: Spot, holder: str) -> Lease | None:
    """The scope, where nobody holds it any more; None while another does."""
    fresh = {"holder": holder, "taken_at": tx.now, "renewed_at": tx.now, "streaming": False}
    free = or_(Observer.holder == NOBODY, Observer.renewed_at < tx.now - LEASE)
    epoch = tx.run(
        insert(Observer)
        .values(scope=scope_of(spot), epoch=1, **fresh)
        .on_conflict_do_update(index_elements=["scope"], set_={**fresh, "epoch": Observer.epoch + 1}, where=free)
        .returning(Observer.epoch)
    ).scalar()
    return None if epoch is None else Lease(spot, epoch)


def trouble_of(tx: Tx, spot: Spot) -> str | None:
    """What the last observer of a scope had to say: whoever follows it goes on from there."""
    return tx.session.scalar(select(Observer.trouble).where(Observer.scope == scope_of(spot)))


def renew(tx: Tx, lease: Lease, report: Report) -> bool:
    """Whether the scope is still ours."""
    values: dict[str, Any] = {
        "renewed_at": tx.now,
        "streaming": report.streaming,
        "watched": report.watched,
        "orphans": report.orphans,
        "trouble": report.trouble,
    }
    if report.full:
        values["last_full_at"] = tx.now
    return _update(tx, lease, values)


def release(tx: Tx, lease: Lease) -> None:
    """Let go of it, so that the next one need not wait for the lease to run out."""
    _update(tx, lease, {"holder": NOBODY, "streaming": False})


def _update(tx: Tx, lease: Lease, values: dict[str, Any]) -> bool:
    ours = (Observer.scope == lease.scope) & (Observer.epoch == lease.epoch) & (Observer.holder != NOBODY)
    return bool(tx.run(update(Observer).where(ours).values(**values)).rowcount)


def holds(lease: Lease) -> ColumnElement[bool]:
    """The condition of every write of an observer: that no other has taken the scope since."""
    return (
        select(Observer.epoch)
        .where(Observer.scope == lease.scope, Observer.epoch == lease.epoch, Observer.holder != NOBODY)
        .exists()
    )


def of_spot(spot: Spot) -> ColumnElement[bool]:
    """The instances of a scope."""
    where = Instance.provider == spot.provider
    return where if spot.host_id is None else where & (Instance.host_id == spot.host_id)


def freshen(tx: Tx, lease: Lease, after: str, but: Collection[str]) -> str | None:
    """A few hundred instances were seen as they are known to be: only the age of that knowledge changes.

    Returns where to go on, None at the end. Rows that somebody is writing are left out, so that this waits for
    nobody and nobody waits in a circle.
    """
    page = (
        select(Instance.id)
        .where(of_spot(lease.spot), Instance.id > after)
        .order_by(Instance.id)
        .limit(_CHUNK)
        .with_for_update(skip_locked=True, key_share=True)
    )
    ids = tx.run(page).scalars().all()
    seen = [one for one in ids if one not in but]
    if seen:
        tx.run(update(Instance).where(Instance.id.in_(seen), holds(lease)).values(health_checked_at=tx.now))
    return ids[-1] if len(ids) == _CHUNK else None


def note_outage(tx: Tx, lease: Lease, why: str, projects: Sequence[str]) -> None:
    """Nothing of this place can be believed: every health is unknown at once, and each project is told once.

    Rows that somebody is writing are left out: theirs grows old and reads as unknown, too.
    """
    free = (
        select(Instance.id)
        .where(of_spot(lease.spot), Instance.health != Health.UNKNOWN)
        .order_by(Instance.id)
        .with_for_update(skip_locked=True, key_share=True)
    )
    written = tx.run(
        update(Instance)
        .where(Instance.id.in_(free), holds(lease))
        .values(health=Health.UNKNOWN, health_reason=why)
    ).rowcount
    for project in projects:
        _tell(tx, lease, project, "OUTAGE", {"why": why, "instances": written})


def note_outage_over(tx: Tx, lease: Lease, projects: Sequence[str]) -> None:
    """It shows what it should again."""
    for project in projects:
        _tell(tx, lease, project, "OUTAGE_OVER", {})


def note_stray(tx: Tx, lease: Lease, glimpse: Glimpse) -> bool:
    """Tell once of an object without a living record. Whether it was news."""
    told = select(LifecycleEvent.seq).where(
        LifecycleEvent.event_type == "ORPHAN_SEEN",
        LifecycleEvent.instance_id == glimpse.instance_id,
        LifecycleEvent.cloud_instance_id == glimpse.provider_id,
    )
    living = select(Instance.id).where(Instance.id == glimpse.instance_id)
    if tx.session.scalar(living) is not None or tx.session.scalar(told.limit(1)) is not None:
        return False
    owner = select(InstanceRun.project).where(InstanceRun.instance_id == glimpse.instance_id)
    project = tx.session.scalar(owner) or DEFAULT_PROJECT
    data = {"provider_id": glimpse.provider_id, "state": glimpse.state}
    _tell(tx, lease, project, "ORPHAN_SEEN", data, glimpse)
    return True


def _tell(
    tx: Tx, lease: Lease, project: str, what: str, data: dict[str, Any], about: Glimpse | None = None
) -> None:
    tx.emit(
        project=project,
        event_type=what,
        instance_id=about.instance_id if about else None,
        deployment_id="",
        operation_id=None,
        version=None,
        status=None,
        from_status=None,
        to_status=None,
        source=Source.MONITOR,
        reason=None,
        confirmation_method=None,
        actor="berth",
        cloud_instance_id=about.provider_id if about else None,
        data={"provider": lease.spot.provider, "host_id": lease.spot.host_id, **data},
    )

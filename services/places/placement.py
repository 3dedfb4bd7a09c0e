"""Hosts as acceptance sees them: which one takes a new instance, which are silent, and which are lost."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import select

from db.models import Host
from db.session import Tx
from domain.actions import WITHOUT_HOST
from domain.errors import HostUnavailable
from domain.lifecycle import Operation

SILENT_AFTER = timedelta(seconds=30)
"""A host whose agent was not seen for this long gets no new work: nobody would do it."""
LOST_AFTER = timedelta(minutes=5)
"""A host whose agent was not seen for this long counts as lost: what it held may be forgotten."""
_START = "start its worker (`berth up`, or `berth-worker --host` on that machine)"


def is_silent(last_seen_at: datetime, now: datetime) -> bool:
    """Whether nobody has heard of the host for a moment."""
    return now - last_seen_at > SILENT_AFTER


def is_lost(last_seen_at: datetime, now: datetime) -> bool:
    """Whether nobody has heard of the host for too long."""
    return now - last_seen_at > LOST_AFTER


def check_host(tx: Tx, host_id: str | None, operation: Operation) -> None:
    """Refuse work for a host that nobody hears of; what only takes away is accepted and waits for it.

    Raises `HostUnavailable`.
    """
    if host_id is None or operation in WITHOUT_HOST:
        return
    seen = tx.session.execute(
        select(Host.name, Host.last_seen_at, tx.now.label("now")).where(Host.id == host_id)
    ).one_or_none()
    if seen is None:
        raise HostUnavailable(f"Host {host_id} was removed; delete or forget what it held.")
    if is_silent(seen.last_seen_at, seen.now):
        ago = (seen.now - seen.last_seen_at).total_seconds()
        raise HostUnavailable(
            f"Host {seen.name} has not been seen for {ago:.0f} s: {_START}, or delete or forget what it held."
        )


def choose_host(tx: Tx, provider: str) -> str:
    """The host for a new deployment: the one seen last among those that offer `provider` and are not cordoned.

    Raises `HostUnavailable`.
    """
    best = tx.session.execute(
        select(Host.id, Host.name, Host.last_seen_at, tx.now.label("now"))
        .where(Host.providers.contains([provider]), Host.cordoned.is_(False))
        .order_by(Host.last_seen_at.desc())
        .limit(1)
    ).one_or_none()
    if best is None:
        raise HostUnavailable(
            f"No host offers the provider {provider}; start a worker (berth up does so) or lift a cordon."
        )
    if is_silent(best.last_seen_at, best.now):
        ago = (best.now - best.last_seen_at).total_seconds()
        raise HostUnavailable(
            f"No host that offers the provider {provider} is there: {best.name} was seen last, {ago:.0f} s ago; "
            f"{_START}."
        )
    return str(best.id)

"""Hosts as acceptance sees them: which one takes a new instance, and which ones are lost."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import select

from db.models import Host
from db.session import Tx
from domain.errors import HostUnavailable

LOST_AFTER = timedelta(minutes=5)
"""A host whose agent was not seen for this long counts as lost: what it held may be forgotten."""


def is_lost(last_seen_at: datetime, now: datetime) -> bool:
    """Whether nobody has heard of the host for too long."""
    return now - last_seen_at > LOST_AFTER


def choose_host(tx: Tx, provider: str) -> str:
    """The host for a new deployment: the one seen last among those that offer `provider` and are not cordoned.

    Raises `HostUnavailable`. A host that is silent at the moment is taken all the same: the accepted operation
    waits for its agent.
    """
    found = tx.session.scalar(
        select(Host.id)
        .where(Host.providers.contains([provider]), Host.cordoned.is_(False))
        .order_by(Host.last_seen_at.desc())
        .limit(1)
    )
    if found is None:
        raise HostUnavailable(
            f"No host offers the provider {provider}; start a worker (berth up does so) or lift a cordon."
        )
    return found

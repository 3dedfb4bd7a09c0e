"""Hosts that fall silent, are lost, or come back: what their instances may be asked for turns without a record.

Looked at every few seconds, once for all streams of a process; who asks for records is told (`api.live.records`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass

import structlog
from fastapi.concurrency import run_in_threadpool
from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from db.models import Host
from db.session import Database
from services.places.placement import is_lost, is_silent
from services.views.common import JsonObject

log = structlog.get_logger("api")
LOOK_SECONDS = 2.5


@dataclass(frozen=True)
class Standing:
    """Whether a host takes new work, and whether what it held may be forgotten."""

    silent: bool
    lost: bool


THERE = Standing(silent=False, lost=False)
REMOVED = Standing(silent=True, lost=True)
Standings = Mapping[str, Standing]


def turns(before: Standings, now: Standings) -> list[JsonObject]:
    """Hosts that do not stand as they did; one that is new came as one that is there."""
    return [
        {"id": key, **asdict(now.get(key, REMOVED))}
        for key in sorted(before.keys() | now.keys())
        if now.get(key, REMOVED) != before.get(key, THERE)
    ]


class HostsWatch:
    """Belongs to the event loop."""

    def __init__(self, database: Database, tell: Callable[[JsonObject], None]) -> None:
        self._database = database
        self._tell = tell

    async def follow(self) -> None:
        """For ever."""
        known: Standings | None = None
        while True:
            try:
                found = await run_in_threadpool(self._look)
            except (SQLAlchemyError, OSError) as error:
                log.warning("hosts cannot be looked at", kind=type(error).__name__)
            else:
                for turn in turns(found if known is None else known, found):
                    self._tell(turn)
                known = found
            await asyncio.sleep(LOOK_SECONDS)

    def _look(self) -> Standings:
        rows = select(Host.id, Host.last_seen_at, func.clock_timestamp().label("now"))
        with self._database.read() as session:
            return {
                row.id: Standing(is_silent(row.last_seen_at, row.now), is_lost(row.last_seen_at, row.now))
                for row in session.execute(rows)
            }

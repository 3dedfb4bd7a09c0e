"""Objects without a record, as the listings of one observer show them: each is told of once, a few at a time."""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from db.session import Database
from domain.glimpses import Glimpse
from services.watching.observers import Lease, note_stray

log = structlog.get_logger("monitor")
_MOST = 100


class Strays:
    """What does not fit into one round is told by the next."""

    def __init__(self, database: Database, lease: Lease) -> None:
        self._database = database
        self._lease = lease
        self._known: set[str | None] = set()

    def note(self, seen: Sequence[Glimpse]) -> None:
        news = [glimpse for glimpse in seen if glimpse.provider_id not in self._known]
        for glimpse in news[:_MOST]:
            with self._database.begin() as tx:
                if note_stray(tx, self._lease, glimpse):
                    log.warning("an object without a record", scope=self._lease.scope, object=glimpse.provider_id)
        waiting = {glimpse.provider_id for glimpse in news[_MOST:]}
        self._known = {glimpse.provider_id for glimpse in seen} - waiting

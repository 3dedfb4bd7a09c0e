"""The restart policy: look at instances that have one, and start those that stopped without being asked to.

Looks go through the provider's worker, so that a restarted host's instances are seen by that host.
"""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta

import structlog
from temporalio.client import ActivityFailureError, Client
from temporalio.service import RPCError
from ulid import ULID

from db.session import Database
from db.vault import Vault
from domain.errors import Refused
from domain.work import Observation, Seen
from services.monitoring import Watched, note_observation, start_by_policy, under_policy, wants_start
from services.planning import task_queue

log = structlog.get_logger("keeper")
_EVERY_SECONDS = 5.0
_LOOK_TIMEOUT = timedelta(seconds=5)
_AT_ONCE = 8
_QUESTION = "observe_instance"
_ANSWER_SECONDS = 60


class Restarter:
    """Called by the keeper in every round; looks every few seconds."""

    def __init__(self, database: Database, vault: Vault, client: Client) -> None:
        self._database = database
        self._vault = vault
        self._client = client
        self._next = 0.0
        self._running: asyncio.Task[None] | None = None

    async def look(self) -> None:
        """Begin a round of looks unless one is under way; never waits for it."""
        if time.monotonic() < self._next or (self._running is not None and not self._running.done()):
            return
        self._next = time.monotonic() + _EVERY_SECONDS
        self._running = asyncio.create_task(self._round())

    async def _round(self) -> None:
        places = asyncio.Semaphore(_AT_ONCE)

        async def one(watched: Watched) -> None:
            async with places:
                look = await self._observe(watched)
                if look is not None:
                    await asyncio.to_thread(self._decide, watched, look)

        watched = await asyncio.to_thread(self._watched)
        for result in await asyncio.gather(*(one(w) for w in watched), return_exceptions=True):
            if isinstance(result, Exception):
                log.warning("restart policy not applied", error=type(result).__name__)

    def _watched(self) -> list[Watched]:
        with self._database.begin() as tx:
            return under_policy(tx)

    async def _observe(self, watched: Watched) -> Observation | None:
        try:
            sealed = await self._client.execute_activity(
                _QUESTION,
                self._vault.seal(_QUESTION, {"instance_id": watched.id}),
                id=f"observe-{watched.id}-{ULID()}",
                task_queue=task_queue(watched.provider, watched.host_id),
                schedule_to_close_timeout=_LOOK_TIMEOUT,
                result_type=str,
            )
        except (ActivityFailureError, RPCError):
            return None
        found = self._vault.unseal(_QUESTION, sealed, _ANSWER_SECONDS)
        return Observation(Seen(found["seen"]), found["provider_state"], detail=found["detail"])

    def _decide(self, watched: Watched, look: Observation) -> None:
        with self._database.begin() as tx:
            status = note_observation(tx, watched, look) or watched.status
        if not wants_start(watched, status, look):
            return
        try:
            with self._database.begin() as tx:
                start_by_policy(tx, watched)
            log.info("started by restart policy", instance=watched.id, restarts=watched.restarts + 1)
        except Refused as refusal:
            log.info("restart policy waits", instance=watched.id, why=refusal.message)

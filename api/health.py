"""Is the API alive, and is everything there that it needs? Each check is bounded and says what is wrong."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from datetime import UTC, timedelta
from typing import Any

from sqlalchemy import func, select, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session
from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client
from temporalio.service import RPCError

from api.asks import Asks
from db.migrate import current, head
from db.models import Meta, Pulse
from db.session import Database
from db.vault import Vault, WrongKey

WORKER_QUEUE = "berth"
WORKER_SILENT_SECONDS = 120.0
KEEPER_SILENT_SECONDS = 30.0
_CHECK_SECONDS = 3.0
RECORDS_SECONDS = 4.0
"""So long whoever watches waits for records that may be frozen."""
_KEPT_SECONDS = 1.0
_RED_KEPT_SECONDS = 0.1
"""A start waits for the first green answer: a red one must not be kept for long."""


_KEEPER = Pulse.name == "keeper"


@dataclass(frozen=True)
class Check:
    """One part."""

    name: str
    ok: bool
    detail: str


_ENDING = (Check("serving", ok=False, detail="shutting down"),)


@dataclass
class Readiness:
    """The checks, at most a second old, so that probes cost nothing."""

    database: Database
    vault: Vault
    asks: Asks
    draining: bool = False
    _at: float = 0.0
    _kept: tuple[Check, ...] = ()
    _looking: asyncio.Lock = field(default_factory=asyncio.Lock)
    _reading: asyncio.Future[list[Check]] | None = None

    async def checks(self) -> tuple[Check, ...]:
        """Every check. Draining comes first: it says no at once."""
        if self.draining:
            return _ENDING
        async with self._looking:  # many who ask at once are answered by one look
            lasts = _KEPT_SECONDS if all(check.ok for check in self._kept) else _RED_KEPT_SECONDS
            if not self._kept or time.monotonic() - self._at > lasts:
                records, worker = await asyncio.gather(self._records(), _temporal(self.asks.client))
                self._kept = (*records, *worker)
                self._at = time.monotonic()
        return _ENDING if self.draining else self._kept

    async def _records(self) -> list[Check]:
        """A frozen server ends no wait by a timeout of its own. One look at a time waits for it."""
        if self._reading is None or self._reading.done():
            self._reading = asyncio.ensure_future(asyncio.to_thread(_records, self.database, self.vault))
        try:
            async with asyncio.timeout(RECORDS_SECONDS):
                return await asyncio.shield(self._reading)
        except TimeoutError:
            return [Check("database", ok=False, detail=f"has not answered for {RECORDS_SECONDS:g} s")]


def _records(database: Database, vault: Vault) -> list[Check]:
    try:
        with database.read() as session:
            session.execute(text("set local statement_timeout = 3000"))
            found = [Check("database", ok=True, detail="answers"), *_inside(session)]
        return [*found, _keys(database, vault)]
    except SQLAlchemyError as error:
        return [Check("database", ok=False, detail=f"does not answer ({type(error).__name__})")]


def _keys(database: Database, vault: Vault) -> Check:
    try:
        with database.begin() as tx:
            vault.check(tx)
    except WrongKey as error:
        return Check("keys", ok=False, detail=error.message)
    return Check("keys", ok=True, detail="fit the database")


async def _temporal(client: Client) -> list[Check]:
    request = DescribeTaskQueueRequest(
        namespace=client.namespace,
        task_queue=TaskQueue(name=WORKER_QUEUE),
        task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
    )
    try:
        async with asyncio.timeout(_CHECK_SECONDS):
            answer = await client.workflow_service.describe_task_queue(
                request, timeout=timedelta(seconds=_CHECK_SECONDS)
            )
    except (RPCError, RuntimeError, TimeoutError) as error:
        return [Check("temporal", ok=False, detail=f"does not answer ({type(error).__name__})")]
    seen = [p.last_access_time.ToDatetime(tzinfo=UTC).timestamp() for p in answer.pollers]
    return [Check("temporal", ok=True, detail="answers"), _worker(seen)]


def _inside(session: Session) -> list[Check]:
    at, newest = current(session), head()
    found = [Check("migrations", at == newest, f"at {at}" + ("" if at == newest else f", needs {newest}"))]
    if at == newest:
        found.append(_keeper(session.scalar(select(func.extract("epoch", func.now() - Pulse.at)).where(_KEEPER))))
    if session.scalar(select(Meta.value).where(Meta.key == "temporal_swapped")) is not None:
        found.append(Check("namespace", ok=False, detail="another Temporal than the records know; acknowledge it"))
    return found


def _keeper(ago: float | None) -> Check:
    """The keeper lives in a worker: one that is frozen is told by this long before Temporal forgets its poll."""
    if ago is None:
        return Check("keeper", ok=False, detail="has not looked yet")
    return Check("keeper", ago < KEEPER_SILENT_SECONDS, f"looked {max(0.0, ago):.0f} s ago")


def _worker(seen: list[float]) -> Check:
    if not seen:
        return Check("worker", ok=False, detail="no worker has polled")
    ago = max(0.0, time.time() - max(seen))
    return Check("worker", ago < WORKER_SILENT_SECONDS, f"polled {ago:.0f} s ago")


def report(checks: tuple[Check, ...]) -> dict[str, Any]:
    """The verbose form."""
    ready = all(check.ok for check in checks)
    listed = [{"name": c.name, "ok": c.ok, "detail": c.detail} for c in checks]
    return {"status": "ok" if ready else "unavailable", "checks": listed}

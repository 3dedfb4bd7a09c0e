"""The keeper: one loop that brings every unfinished operation forward. Every worker runs it; one at a time acts.

Pending → start its workflow. Cancel requested → cancel it, terminate it after its grace. Running → look whether
its run is still there. Overdue → cancel. It holds an advisory lock while it acts, is woken by each commit, and
looks by itself once a second, so that nothing depends on a wake-up arriving.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any

import structlog
from temporalio.client import Client
from temporalio.service import RPCError

from db.direct import direct
from db.session import CHANNEL_OPERATIONS, KEEPER_LOCK, Database
from keeper.chores import Chores, ended
from keeper.dispatch import ask_to_close, dispatch
from keeper.facts import (
    KeeperLimits,
    Listener,
    Unfinished,
    close_dead_listeners,
    closing_listeners,
    listener_closed,
    overdue_to_cancel,
    unfinished,
)
from keeper.namespace import NamespaceCheck
from keeper.reconcile import Reconciler
from keeper.stop import Stopper
from services.upkeep.ledger import pulse
from system.postgres_waits import readable

log = structlog.get_logger("keeper")
_AT_ONCE = 16
_START_AGAIN_SECONDS = 5.0


@dataclass
class Keeper:
    """Built by the worker. `run` ends when `stopping` is set."""

    database: Database
    client: Client
    limits: KeeperLimits
    namespace: NamespaceCheck
    stopping: asyncio.Event
    chores: Chores | None = None
    public_url: str = ""
    _started_at: dict[str, float] = field(default_factory=dict)
    _busy: set[str] = field(default_factory=set)

    async def run(self) -> None:
        """Act whenever the lock can be had; after an error, let go of it and try again."""
        while not self.stopping.is_set():
            try:
                await self.hold_lock_and_act()
            except Exception as error:  # noqa: BLE001 - without this loop nothing moves: it outlives any trouble
                log.warning("keeper begins again", error=type(error).__name__)
            await self._pause(self.limits.interval_seconds)

    async def hold_lock_and_act(self) -> None:
        """On a connection beside the pool: back in it, it would keep the lock, and no keeper could have it."""
        connection = await asyncio.to_thread(direct(self.database.engine, "berth-keeper"))
        try:
            while not self.stopping.is_set():
                if await asyncio.to_thread(_try_lock, connection):
                    await self._act(connection)
                else:
                    await self._pause(self.limits.interval_seconds)
        finally:
            await asyncio.to_thread(connection.close)

    async def _act(self, connection: Any) -> None:
        stopper = Stopper(self.client, self.limits)
        reconciler = Reconciler(self.database, self.client, self.limits)
        chores = asyncio.create_task(self.chores.run()) if self.chores is not None else None
        try:
            await self._act_until_stopped(connection, stopper, reconciler)
        finally:
            if chores is not None:
                await ended(chores)

    async def _act_until_stopped(self, connection: Any, stopper: Stopper, reconciler: Reconciler) -> None:
        log.info("keeper acts")
        tasks: set[asyncio.Task[None]] = set()
        next_round = 0.0
        while not self.stopping.is_set():
            now = time.monotonic()
            whole = now >= next_round
            if whole:
                next_round = now + self.limits.interval_seconds
            if await self.namespace.holds():
                for found in await asyncio.to_thread(self._collect, whole):
                    if found.id not in self._busy and len(tasks) < 4 * _AT_ONCE:
                        self._busy.add(found.id)
                        task = asyncio.create_task(self._forward(found, stopper, reconciler))
                        tasks.add(task)
                        task.add_done_callback(tasks.discard)
                if whole:
                    await self._tell_listeners()
            left = max(0.0, next_round - time.monotonic())
            await asyncio.to_thread(_wait_for_wake, connection, left)
        await asyncio.gather(*tasks)

    def _collect(self, whole: bool) -> list[Unfinished]:
        """A wake-up brings what waits for the keeper; once in an interval everything is looked at."""
        with self.database.begin() as tx:
            if whole:
                pulse(tx, "keeper")
                overdue_to_cancel(tx)
                close_dead_listeners(tx)
            return unfinished(tx, urgent_only=not whole)

    async def _tell_listeners(self) -> None:
        """Close the runs whose listening was aborted in the records."""
        for listener in await asyncio.to_thread(self._closing):
            try:
                await ask_to_close(self.client, listener.workflow_id, listener.run_id, listener.operation_id)
            except RPCError as error:
                log.warning("listener not told", operation=listener.operation_id, error=str(error.status))
            else:
                await asyncio.to_thread(self._closed, listener.operation_id)

    def _closing(self) -> list[Listener]:
        with self.database.begin() as tx:
            return closing_listeners(tx)

    def _closed(self, operation_id: str) -> None:
        with self.database.begin() as tx:
            listener_closed(tx, operation_id)

    async def _dispatch(self, found: Unfinished) -> bool:
        return await dispatch(self.database, self.client, found, self.public_url)

    async def _forward(self, found: Unfinished, stopper: Stopper, reconciler: Reconciler) -> None:
        """Bring one operation one move forward. What fails is tried again by the next round."""
        try:
            if found.status == "pending":
                if self._may_start(found.id) and not await self._dispatch(found):
                    self._started_at.pop(found.id, None)
            elif found.cancel_requested:
                await stopper.stop(found)
                await reconciler.look(found)
            else:
                await reconciler.look(found)
        except Exception as error:  # noqa: BLE001 - one operation's trouble must not stop the others
            self._started_at.pop(found.id, None)
            status = error.status.name if isinstance(error, RPCError) else None
            log.warning(
                "operation not brought forward", operation=found.id, error=type(error).__name__, status=status
            )
        finally:
            self._busy.discard(found.id)

    def _may_start(self, operation_id: str) -> bool:
        """A start that was answered is not repeated at once: Plan may only be waiting for a worker."""
        now = time.monotonic()
        if now - self._started_at.get(operation_id, -_START_AGAIN_SECONDS) < _START_AGAIN_SECONDS:
            return False
        if len(self._started_at) > 10_000:
            self._started_at.clear()
        self._started_at[operation_id] = now
        return True

    async def _pause(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self.stopping.wait(), seconds)
        except TimeoutError:
            return


def _try_lock(connection: Any) -> bool:
    """Who has it listens from then on. Who stands by does not: psycopg2 keeps for ever what nobody fetches."""
    with connection.cursor() as cursor:
        cursor.execute("select pg_try_advisory_lock(%s)", (KEEPER_LOCK,))
        got = bool(cursor.fetchone()[0])
        if got:
            cursor.execute(f"listen {CHANNEL_OPERATIONS}")
    return got


def _wait_for_wake(connection: Any, seconds: float) -> None:
    """Return at a notification or after `seconds`; a lost connection raises."""
    if readable(connection, seconds):
        connection.poll()
    else:
        with connection.cursor() as cursor:
            cursor.execute("select 1")
    connection.notifies.clear()

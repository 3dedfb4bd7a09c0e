"""What the one keeper that acts does beside operations: count, notify, keep holds and deadlines, clear away.

Each on its own, so that a slow receiver or a large purge holds up no operation.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import structlog

from db.session import Database
from keeper.notifying import Notifier
from keeper.upkeep import Upkeep
from services.upkeep.ledger import MOST_AT_ONCE, fold, pulse
from services.upkeep.notices import note_stuck
from services.upkeep.retention import Keeping, purge

log = structlog.get_logger("keeper")


@dataclass(frozen=True)
class Chores:
    """Built by the worker. `run` goes on until it is cancelled."""

    database: Database
    notifier: Notifier | None
    keeping: Keeping
    fold_seconds: float = 1.0
    purge_seconds: float = 60.0
    upkeep: Upkeep | None = None

    async def run(self) -> None:
        """All of them side by side."""
        every: list[Coroutine[Any, Any, None]] = [
            again(self._count, self.fold_seconds),
            again(self._purge, self.purge_seconds),
        ]
        if self.upkeep is not None:
            every.append(again(self.upkeep.round, self.fold_seconds))
        if self.notifier is not None:
            every.append(again(self.notifier.send_due, self.fold_seconds))
        await asyncio.gather(*every)

    async def _count(self) -> bool:
        return await asyncio.to_thread(self._fold)

    def _fold(self) -> bool:
        with self.database.begin() as tx:
            if self.notifier is not None:
                note_stuck(tx)
            return fold(tx, notify=self.notifier is not None) == MOST_AT_ONCE

    async def _purge(self) -> bool:
        return await asyncio.to_thread(self._clear)

    def _clear(self) -> bool:
        with self.database.begin() as tx:
            pulse(tx, "retention")
            removed = purge(tx, self.keeping)
        if removed:
            log.info("purged", **removed)
        return any(number >= self.keeping.batch for number in removed.values())


async def again(chore: Callable[[], Awaitable[bool]], seconds: float) -> None:
    """Until cancelled. `chore` says whether there is more to do at once. Trouble is logged, and it goes on."""
    while True:
        more = False
        try:
            more = await chore()
        except Exception as error:  # noqa: BLE001 - one chore's trouble must end neither it nor the others
            log.warning("chore failed", chore=chore.__name__, error=type(error).__name__)
        await asyncio.sleep(0.05 if more else seconds)


async def ended(task: asyncio.Task[None]) -> None:
    """Cancel a task and wait until it is over."""
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task

"""Serving the queue of this machine's host, while the locks say that nobody else does.

A worker without options that finds the host taken stands by and takes over when the other one dies. Losing the
connection that holds the locks means that another may have them: the queue is left until they are ours again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field

import psycopg2
import structlog
from sqlalchemy.exc import SQLAlchemyError

from agent.locks import AgentLocks

log = structlog.get_logger("worker")
_ALIVE_EVERY = 1.0
_STAND_BY_EVERY = 0.4
_SEEN_EVERY = 5.0


@dataclass
class Hosting:
    """`begin` and `end` serve and leave what the locks stand for; `seen` tells the records that the host lives."""

    locks: AgentLocks
    begin: Callable[[], None]
    end: Callable[[], Awaitable[None]]
    seen: Callable[[], None]
    stopping: asyncio.Event
    settled: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when it is known for the first time whether this process serves or stands by."""

    async def run(self, *, held: bool) -> None:
        """Until the process stops. `held`: the locks have been taken already."""
        told: str | None = None
        while not self.stopping.is_set():
            holder = None if held else await self._acquire()
            if holder is None:
                told = None
                await self._serve()
                held = False
            else:
                if told != holder:
                    log.info("stands by for the host", why=holder)
                    told = holder
                self.settled.set()
                await self._pause(_STAND_BY_EVERY)

    async def _acquire(self) -> str | None:
        try:
            return await asyncio.to_thread(self.locks.acquire)
        except psycopg2.Error as error:
            return f"the database does not answer ({type(error).__name__})"

    async def _serve(self) -> None:
        await self._tell()
        self.begin()
        self.settled.set()
        rounds = 0
        while not self.stopping.is_set():
            await self._pause(_ALIVE_EVERY)
            if not await asyncio.to_thread(self.locks.alive):
                log.warning("the host's lock is lost; its queue is left until it is ours again")
                await self.end()
                return
            rounds += 1
            if rounds * _ALIVE_EVERY >= _SEEN_EVERY:
                rounds = 0
                await self._tell()

    async def _tell(self) -> None:
        try:
            await asyncio.to_thread(self.seen)
        except SQLAlchemyError as error:
            log.warning("host not seen", error=type(error).__name__)

    async def _pause(self, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self.stopping.wait(), seconds)

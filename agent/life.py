"""The life of one worker process: take the locks, serve, keep an eye on providers and locks, drain.

Called by `worker.py`.
"""

from __future__ import annotations

import asyncio
import os
import socket
from contextlib import suppress
from dataclasses import dataclass, field

import psycopg2
import structlog
from sqlalchemy.exc import SQLAlchemyError
from temporalio.client import Client

from agent.composition import Composition
from agent.hosting import Hosting
from agent.locks import AgentLocks
from agent.serving import Serving
from db.direct import direct
from domain.errors import Refused
from services.operations.planning import task_queue
from services.places.hosts import name_is_free, register_host
from system.processes import boot_id

log = structlog.get_logger("worker")
_LOOK_EVERY = 15.0
"""From begin to begin: one that hangs must not make the reports of the others old."""
_LEAST_PAUSE = 1.0
_FIRST_LOOK_SECONDS = 5.0
"""A start waits so long for providers that take their time; the others are served already."""


class AgentRefused(Refused):
    """Another live agent has this id, this host or this name."""

    code = "agent-refused"


def locks_of(composed: Composition) -> AgentLocks:
    """What may exist once only: an agent of this id, a live worker of this host, and of this name.

    The worker that serves everything leaves the id alone: it stands beside an agent of its data directory.
    """
    reporter = composed.reporter
    keys = [(f"the name {reporter.name}", f"berth/agent/name/{reporter.name}")]
    if composed.wants.serves_host:
        keys.insert(0, (f"host {reporter.host_id}", f"berth/agent/host/{reporter.host_id}"))
    if composed.wants.is_agent:
        keys.insert(0, (f"the id {reporter.host_id}", f"berth/agent/id/{reporter.host_id}"))
    label = f"berth {reporter.name} pid {os.getpid()} on {socket.gethostname()}"
    return AgentLocks(direct(composed.parts.database.engine, label), keys)


@dataclass
class Life:
    """Built once per process. `broken` is set when a part has ended by itself."""

    composed: Composition
    client: Client
    locks: AgentLocks
    stopping: asyncio.Event
    serving: Serving = field(init=False)

    def __post_init__(self) -> None:
        self.serving = Serving(self.client, self.composed.parts)

    @property
    def host_queue(self) -> str:
        """The queue of this machine's host."""
        return task_queue("", self.composed.reporter.host_id)

    async def begin(self) -> list[asyncio.Task[None]]:
        """Start what this process is for; returns the loops that go on until it stops.

        Raises `AgentRefused` where an agent is not the only one.
        """
        composed = self.composed
        if composed.wants.is_agent:
            await asyncio.to_thread(self._claim)
        composed.parts.wakes.start()
        first = asyncio.create_task(self._look())
        hosting = Hosting(self.locks, self._begin_place, self._end_place, self._seen, self.stopping)
        loops: list[asyncio.Task[None]] = [asyncio.create_task(self._keep_looking(first))]
        await asyncio.wait([first], timeout=_FIRST_LOOK_SECONDS)
        loops.append(asyncio.create_task(hosting.run(held=composed.wants.is_agent)))
        await hosting.settled.wait()
        return loops

    async def end(self) -> None:
        """Drain, then let go of the locks."""
        await self.serving.stop_all()
        await asyncio.to_thread(self.locks.release)
        self.composed.parts.wakes.close()

    def _claim(self) -> None:
        """An agent that is asked for by name is the only one, or does not start."""
        reporter = self.composed.reporter
        holder = self.locks.acquire()
        if holder is not None:
            raise AgentRefused(
                f"{holder}: stop that one, or give this one a BERTH_DATA_DIR and a --name of its own"
            )
        with self.composed.parts.database.begin() as tx:
            if self.composed.wants.serves_host and not name_is_free(tx, reporter.host_id, reporter.name):
                raise AgentRefused(
                    f"another host is known as {reporter.name}: choose another --name, or remove that host"
                )

    def _begin_place(self) -> None:
        """The locks are ours: serve what they stand for."""
        if self.composed.wants.serves_host:
            self.serving.start(self.host_queue)
        self._start_queues()

    async def _end_place(self) -> None:
        """The locks are lost. Queues that several may serve are kept, but not by an agent."""
        queues = [self.host_queue] if self.composed.wants.serves_host else []
        if self.composed.wants.is_agent:
            queues += self._own_queues()
        await asyncio.gather(*(self.serving.stop(queue) for queue in queues))

    def _own_queues(self) -> list[str]:
        return [task_queue(entry.name, None) for entry in self.composed.places.served if not entry.on_host]

    def _start_queues(self) -> None:
        for queue in self._own_queues():
            self.serving.start(queue)

    def _seen(self) -> None:
        """The host lives, and offers what is configured on it."""
        composed = self.composed
        if not composed.wants.serves_host:
            return
        offered = [entry.name for entry in composed.places.served if entry.on_host]
        with composed.parts.database.begin() as tx:
            register_host(tx, composed.reporter.host_id, composed.reporter.name, offered, boot_id())

    async def _keep_looking(self, first: asyncio.Task[None]) -> None:
        """Providers come, go and change while the worker lives."""
        loop = asyncio.get_running_loop()
        begun = loop.time()
        await first
        while not self.stopping.is_set():
            left = max(_LEAST_PAUSE, begun + _LOOK_EVERY - loop.time())
            with suppress(TimeoutError):
                await asyncio.wait_for(self.stopping.wait(), left)
                return
            begun = loop.time()
            await self._look()

    async def _look(self) -> None:
        try:
            await asyncio.to_thread(self.composed.places.refresh)
        except (SQLAlchemyError, psycopg2.Error) as error:
            log.warning("providers not recorded", error=type(error).__name__)
        if not self.composed.wants.is_agent or await asyncio.to_thread(self.locks.alive):
            self._start_queues()

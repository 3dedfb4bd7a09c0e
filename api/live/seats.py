"""A project's live streams have seats: so many at once, counted over all API processes.

Who comes in a crowd, as after the end of another process, is seated together: one question to the records for all
who wait, so that the last of five hundred waits no longer than a few.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, AsyncExitStack, contextmanager
from typing import TypeAlias

import structlog
from fastapi.concurrency import run_in_threadpool
from sqlalchemy.exc import SQLAlchemyError
from ulid import ULID

from db.session import Database
from domain.bounds import Limits
from services.access import streams
from services.access.bounds import LimitReached

log = structlog.get_logger("api")
Waiting: TypeAlias = "asyncio.Future[None]"


class Seats:
    """Those of this process. Belongs to the event loop."""

    def __init__(self, database: Database, installation: Limits) -> None:
        self._database = database
        self._installation = installation
        self._process = str(ULID()).lower()
        self._taken: Counter[str] = Counter()
        self._said: set[str] = set()
        """Projects of which the records have a count."""
        self._waiting: defaultdict[str, list[Waiting]] = defaultdict(list)
        self._ushers: dict[str, asyncio.Task[None]] = {}
        self._counting: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        """One a project: whoever floods the door of one keeps nobody else waiting."""

    @property
    def told(self) -> bool:
        """Whether the records have anything to be kept true."""
        return bool(self._said)

    async def take(self, project: str) -> AbstractContextManager[None]:
        """A seat, to be left in the end. Raises `LimitReached` when the project has as many as it may."""
        place: Waiting = asyncio.get_running_loop().create_future()
        self._waiting[project].append(place)
        if project not in self._ushers:
            self._ushers[project] = asyncio.create_task(self._usher(project), name="seats")
        try:
            await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled() and place.exception() is None:
                self._taken[project] -= 1
            raise
        return self._seat(project)

    async def _usher(self, project: str) -> None:
        """Until nobody waits."""
        try:
            while waiting := self._waiting.pop(project, None):
                async with self._counting[project]:
                    await self._seat_all(project, [place for place in waiting if not place.cancelled()])
        finally:
            del self._ushers[project]

    async def _seat_all(self, project: str, waiting: list[Waiting]) -> None:
        refusal: Exception | None
        try:
            free, refusal = await run_in_threadpool(self._ask, project, self._taken[project], len(waiting))
        except Exception as error:  # noqa: BLE001 - each of them hears it
            free, refusal = 0, error
        else:
            self._said.add(project)
        for place in waiting:
            if place.cancelled():
                continue
            if free > 0:
                free -= 1
                self._taken[project] += 1
                place.set_result(None)
            elif refusal is not None:
                place.set_exception(refusal)

    def _ask(self, project: str, mine: int, asked: int) -> tuple[int, LimitReached | None]:
        with self._database.begin() as tx:
            return streams.admit(tx, self._process, project, mine, asked, self._installation)

    @contextmanager
    def _seat(self, project: str) -> Iterator[None]:
        try:
            yield
        finally:
            self._taken[project] -= 1

    async def say(self) -> None:
        """Tell the records how many there are; meanwhile nobody is seated. Raises `SQLAlchemyError`."""
        projects = sorted(self._said)
        async with AsyncExitStack() as counting:
            for project in projects:
                await counting.enter_async_context(self._counting[project])
            counts = {project: self._taken[project] for project in projects}
            if counts:
                await run_in_threadpool(self._tell, counts)
            self._said -= {project for project, count in counts.items() if not count}

    def forget(self) -> None:
        """What this process had keeps none of its clients out of another. For a thread, after the last stream."""
        if not self._said:
            return
        try:
            self._tell(dict.fromkeys(self._said, 0))
        except SQLAlchemyError as error:
            log.warning("streams are still counted for a moment", kind=type(error).__name__)

    def _tell(self, counts: Mapping[str, int]) -> None:
        with self._database.begin() as tx:
            streams.say(tx, self._process, counts)

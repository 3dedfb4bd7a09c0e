"""Live streams: they end with the credential that opened them, and each has a seat of its project's (`seats`).

One look at the records every few seconds asks about all tokens with open streams together, and says how many seats
are taken; a token that is revoked here ends its streams at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from typing import TypeVar

import structlog
from fastapi.concurrency import run_in_threadpool
from sqlalchemy.exc import SQLAlchemyError
from starlette.responses import StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from api.live.seats import Seats
from db.session import Database
from domain.bounds import Limits
from domain.errors import Refused
from domain.specs import Caller
from services.access import tokens

log = structlog.get_logger("api")
LOOK_SECONDS = 2.0
SEND_SECONDS = 10.0
"""A client that takes nothing for so long is dropped; it comes back to where it was."""
Answer = TypeVar("Answer")
Part = TypeVar("Part")


class CredentialEnded(Refused):
    """The token that opened the stream, or waits for news, has expired or was revoked."""

    code = "unauthorized"


class SeatedResponse(StreamingResponse):
    """Holds its seat until it has ended, however it ends; a client that takes nothing ends it."""

    def __init__(
        self,
        seat: AbstractContextManager[None],
        parts: AsyncIterator[str],
        media_type: str,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(parts, media_type=media_type, headers=headers)
        self._seat = seat

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_soon(message: Message) -> None:
            async with asyncio.timeout(SEND_SECONDS):
                await send(message)

        with self._seat:
            try:
                await super().__call__(scope, receive, send_soon)
            except TimeoutError:
                log.info("a stream ends: its client takes nothing")


class Connections:
    """Belongs to the event loop."""

    def __init__(self, database: Database, installation: Limits, loop: asyncio.AbstractEventLoop) -> None:
        self._database = database
        self._seats = Seats(database, installation)
        self._loop = loop
        self._ends: dict[str, set[asyncio.Event]] = {}
        self._looking: asyncio.Task[None] | None = None

    def revoked(self, token_id: str) -> None:
        """End what a token opened. May be called from any thread."""
        self._loop.call_soon_threadsafe(self._end, token_id)

    def close(self) -> None:
        """Look no more."""
        if self._looking is not None:
            self._looking.cancel()

    def forget(self) -> None:
        """What this process had keeps none of its clients out of another. For a thread, after the last stream."""
        self._seats.forget()

    async def admit(self, caller: Caller) -> AbstractContextManager[None]:
        """A seat, to be left in the end. Raises `LimitReached` when the caller's project has as many as it may."""
        seat = await self._seats.take(caller.project)
        self._look_on()
        return seat

    async def run(self, caller: Caller, work: Awaitable[Answer]) -> Answer:
        """`work`, for as long as the caller's credential is good. Raises `CredentialEnded`."""
        with self._until_end(caller) as ended:
            working = asyncio.ensure_future(work)
            waiting = asyncio.create_task(_until(caller, ended))
            try:
                await asyncio.wait({working, waiting}, return_when=asyncio.FIRST_COMPLETED)
                if working.done():
                    return working.result()
                raise CredentialEnded("The token has expired or was revoked.")
            finally:
                for task in (working, waiting):
                    task.cancel()
                await asyncio.gather(working, waiting, return_exceptions=True)

    async def stream(self, caller: Caller, parts: AsyncIterator[Part]) -> AsyncIterator[Part]:
        """`parts`, for as long as the caller's credential is good; then it just ends."""
        with self._until_end(caller) as ended:
            waiting = asyncio.create_task(_until(caller, ended))
            following: asyncio.Future[Part] | None = None
            try:
                while True:
                    following = asyncio.ensure_future(anext(parts))
                    await asyncio.wait({following, waiting}, return_when=asyncio.FIRST_COMPLETED)
                    if waiting.done() or not following.done():
                        return
                    try:
                        yield following.result()
                    except StopAsyncIteration:
                        return
            finally:
                tasks = [task for task in (following, waiting) if task is not None]
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    @contextmanager
    def _until_end(self, caller: Caller) -> Iterator[asyncio.Event]:
        ended, token = asyncio.Event(), caller.credential
        if token is None:
            yield ended
            return
        self._ends.setdefault(token, set()).add(ended)
        self._look_on()
        try:
            yield ended
        finally:
            self._ends[token].discard(ended)
            if not self._ends[token]:
                del self._ends[token]

    def _end(self, token_id: str) -> None:
        for ended in self._ends.get(token_id, ()):
            ended.set()

    def _look_on(self) -> None:
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look(), name="credentials")

    async def _look(self) -> None:
        while self._ends or self._seats.told:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                await self._seats.say()
                over = await run_in_threadpool(self._over, list(self._ends))
            except SQLAlchemyError as error:
                log.warning("tokens cannot be looked at", kind=type(error).__name__)
                continue
            for token_id in over:
                self._end(token_id)

    def _over(self, ids: list[str]) -> set[str]:
        with self._database.read() as session:
            return tokens.ended(session, ids) if ids else set()


async def _until(caller: Caller, ended: asyncio.Event) -> None:
    """Until the credential has ended, by its time or by somebody's word."""
    left = None
    if caller.expires_at is not None:
        left = max(0.0, (caller.expires_at - datetime.now(UTC)).total_seconds())
    try:
        async with asyncio.timeout(left):
            await ended.wait()
    except TimeoutError:
        return

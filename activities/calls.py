"""Run a blocking provider call in a thread, with heartbeats, the fence, and cancellation at safe points only."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from temporalio import activity

from db.session import Database
from domain.errors import CallCancelled
from services.operations.fence import Owner, fence_holds
from services.operations.steps import CUT, say
from system.tracing import in_context

T = TypeVar("T")
_HEARTBEAT_EVERY = 1.0
_SAY_EVERY = 0.5


class ActivityCall:
    """`domain.work.Call` for one attempt. Thread-safe: the event loop cancels, the worker thread asks."""

    def __init__(
        self,
        database: Database,
        owner: Owner | None,
        instance_id: str,
        *,
        cleaning: bool = False,
        step_name: str | None = None,
    ) -> None:
        """`step_name`: a step that stands beside the instance's own, such as that of its database."""
        self._database = database
        self.owner = owner
        self._instance_id = instance_id
        self._cleaning = cleaning
        self._step_name = step_name
        self.attempt: int | None = None
        """Set once the attempt has begun: a later one ends it."""
        self.masked: Callable[[str], str] = str
        """Takes the instance's secrets out of what is shown; set once the work is known."""
        self._stop = threading.Event()
        self._said_at = 0.0

    def cancel(self) -> None:
        """Let the call end at its next safe point."""
        self._stop.set()

    def guard(self) -> None:
        """The fence, asked directly before a mutation."""
        if self._stop.is_set():
            raise CallCancelled(CUT)
        if self.owner is not None:
            with self._database.begin() as tx:
                fence_holds(
                    tx,
                    self.owner,
                    self._instance_id,
                    self.attempt,
                    step_name=self._step_name,
                    cancelled_too=self._cleaning,
                )

    def sleep(self, seconds: float) -> None:
        """Wait, unless the call is cancelled."""
        if self._stop.wait(seconds):
            raise CallCancelled(CUT)

    def progress(self, message: str) -> None:
        """Show what is happening, at most twice a second."""
        now = time.monotonic()
        if self.owner is None or self._cleaning or now - self._said_at < _SAY_EVERY:
            return
        self._said_at = now
        with self._database.begin() as tx:
            say(tx, self.owner, self._instance_id, self.masked(message), step_name=self._step_name)


def seconds_left() -> float:
    """How long this activity may still take with all its attempts, by the server's clock."""
    info = activity.info()
    total = info.schedule_to_close_timeout or info.start_to_close_timeout
    assert total is not None
    return (total - (info.started_time - info.scheduled_time)).total_seconds()


async def in_thread(pool: ThreadPoolExecutor, call: ActivityCall, work: Callable[[], T]) -> T:
    """Run `work` in `pool`, heartbeating. On cancellation the thread ends at its next safe point first.

    Leaving earlier would let a second attempt run beside the first.
    """
    loop = asyncio.get_running_loop()
    running = loop.run_in_executor(pool, in_context(work))
    cancelled = False
    while True:
        try:
            await asyncio.wait([running], timeout=_HEARTBEAT_EVERY)
        except asyncio.CancelledError:
            cancelled = True
            call.cancel()
        if running.done():
            break
        activity.heartbeat()
    if cancelled and running.exception() is not None:
        raise asyncio.CancelledError
    return running.result()

"""Work in a thread that is waited for so long and no longer: a server that is frozen ends no wait by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from anyio import to_thread

T = TypeVar("T")


async def in_thread(seconds: float, work: Callable[..., T], *given: object) -> T:
    """What `work` returns. Raises `TimeoutError`; the thread goes on then, and nobody hears what became of it."""
    async with asyncio.timeout(seconds):
        return await to_thread.run_sync(partial(work, *given), abandon_on_cancel=True)

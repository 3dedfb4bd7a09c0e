"""Operations whose run ended without its Finish: terminated, timed out, reset away, lost.

Looks by workflow id without run id (a reset changes the run id) and compares the operation id in the memo.
Closed, somebody else's, or an explicit not-found, twice some seconds apart, means gone; any other error means
unknown and writes nothing. A run that did not close by itself keeps its lock for a hold time, because its
provider call may still be under way.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import Any

import structlog
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode

from db.session import CHANNEL_OPERATIONS, Database
from keeper.dispatch import RPC_TIMEOUT
from keeper.facts import KeeperLimits, Unfinished
from services.operations.outcomes import end_lost

log = structlog.get_logger("keeper")
_REMEMBERED = 10_000
"""Times of next looks; without them a look only comes early."""
_BY_ITSELF = {
    WorkflowExecutionStatus.COMPLETED,
    WorkflowExecutionStatus.FAILED,
    WorkflowExecutionStatus.CANCELED,
}


@dataclass(frozen=True)
class Gone:
    """How a run is seen to be gone. What did not close by itself may have left a call of its under way."""

    how: str
    by_itself: bool


class Reconciler:
    """Holds the first looks of this keeper; another keeper starts its own."""

    def __init__(self, database: Database, client: Client, limits: KeeperLimits) -> None:
        self._database = database
        self._client = client
        self._limits = limits
        self._first: dict[str, float] = {}
        """When each was first seen gone, by our own steady clock: those of other machines may be wrong."""
        self._next: dict[str, float] = {}

    async def look(self, found: Unfinished) -> None:
        """One look at the run of a running operation; ends the operation when the run is gone for sure."""
        now = time.monotonic()
        if found.running_seconds < self._limits.gone_look_seconds or now < self._next.get(found.id, 0.0):
            return
        if len(self._next) > _REMEMBERED:
            self._next.clear()
        self._next[found.id] = now + self._limits.gone_look_seconds
        gone = await self._gone(found)
        if gone is None:
            self._first.pop(found.id, None)
            return
        first = self._first.setdefault(found.id, now)
        hold = 0.0 if gone.by_itself else self._limits.run_hold_seconds
        left = first + max(hold, self._limits.gone_look_seconds) - now
        if left > 0:
            self._next[found.id] = now + min(left, self._limits.gone_look_seconds)
            return
        await asyncio.to_thread(self._end, found, gone)
        self._first.pop(found.id, None)

    async def _gone(self, found: Unfinished) -> Gone | None:
        """None: there, or unknown."""
        try:
            shown = await self._client.get_workflow_handle(found.workflow_id).describe(rpc_timeout=RPC_TIMEOUT)
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return Gone("is unknown to Temporal", by_itself=False)
            raise
        if await shown.memo_value("operation_id", "") != found.id:
            return Gone("was replaced by another one", by_itself=False)
        if shown.status is WorkflowExecutionStatus.RUNNING or shown.status is None:
            return None
        return Gone(f"was {shown.status.name.lower().replace('_', ' ')}", shown.status in _BY_ITSELF)

    def _end(self, found: Unfinished, gone: Gone) -> None:
        error: dict[str, Any] = {
            "code": "run-lost",
            "message": f"The workflow run of this {found.kind} {gone.how} before it could finish; "
            "what it was doing may be half done, and a retry continues from what exists.",
            "retryable": True,
        }
        with self._database.begin() as tx:
            if end_lost(tx, found.id, error):
                log.warning("operation ended for its lost run", operation=found.id, run=gone.how)
                tx.wake(CHANNEL_OPERATIONS, found.id)

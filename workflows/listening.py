"""What a run hears: the signals `retry`, `abort` and `confirm`, and the cancel. Base of `workflows.driver`."""

from __future__ import annotations

import asyncio
import builtins
import re
from collections.abc import Awaitable
from datetime import timedelta
from typing import TypeVar

from temporalio import workflow
from temporalio.common import SearchAttributeKey
from temporalio.exceptions import ActivityError, ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities.contracts import ConfirmationInput, OwnerInput
    from activities.records import RecordActivities
    from workflows import policies

T = TypeVar("T")
OP_PHASE = SearchAttributeKey.for_keyword("OpPhase")
_WORD = re.compile(r"[a-z0-9_]{1,64}")
_MOST_CLAIMS = 100


class Listening:
    """Signals and cancellation of one run. A signal of another operation, or out of time, changes nothing."""

    def __init__(self) -> None:
        self._owner = OwnerInput("", "")
        self._listening = False
        self._retry = False
        self._close = False
        self._confirmations: list[ConfirmationInput] = []

    @workflow.signal
    def retry(self, operation_id: str | None = None) -> None:
        """Accept a new operation that repeats this one. Counts only while this run listens."""
        self._retry = self._retry or (self._listening and self._is_mine(operation_id))

    @workflow.signal
    def abort(self, operation_id: str | None = None) -> None:
        """Stop listening. The operation stays failed."""
        self._close = self._close or (self._listening and self._is_mine(operation_id))

    @workflow.signal
    def confirm(self, claim: dict[str, object]) -> None:
        """Evidence from elsewhere: `{operation_id, instance_id, kind, generation}`; others are ignored."""
        words = {name: str(claim.get(name, "")) for name in ("operation_id", "instance_id", "kind", "generation")}
        # Whoever can reach Temporal can send this: what is no plain word never gets further.
        plain = all(_WORD.fullmatch(word) for word in words.values()) and words["generation"].isdecimal()
        if plain and self._is_mine(words["operation_id"]) and len(self._confirmations) < _MOST_CLAIMS:
            self._confirmations.append(
                ConfirmationInput(self._owner, words["instance_id"], words["kind"], int(words["generation"][:9]))
            )

    def _is_mine(self, operation_id: str | None) -> bool:
        return operation_id in {None, self._owner.operation_id}

    async def _listen(self, park_seconds: float) -> None:
        """The lock is free and the operation is over; this run stays only to hear `retry` or `abort`."""
        workflow.upsert_search_attributes([OP_PHASE.value_set("awaiting_operator")])
        workflow.set_current_details("failed; listening for the signals `retry` and `abort`")
        self._listening = True
        deadline = workflow.time() + park_seconds
        while not self._close and (left := deadline - workflow.time()) > 0:
            try:
                await workflow.wait_condition(lambda: self._retry or self._close, timeout=timedelta(seconds=left))
            except builtins.TimeoutError:
                break
            except asyncio.CancelledError:
                if not self._cancelled():
                    raise
                break
            if self._retry and await self._accept_retry():
                break
            self._retry = False
        self._listening = False
        workflow.upsert_search_attributes([OP_PHASE.value_set("done")])
        await self._recorded(
            workflow.execute_local_activity_method(
                RecordActivities.stop_listening, self._owner, summary="stop listening", **policies.RECORD
            )
        )

    async def _accept_retry(self) -> bool:
        accepted = await self._recorded(
            workflow.execute_local_activity_method(
                RecordActivities.accept_retry, self._owner, summary="accept the retry", **policies.RECORD
            )
        )
        return accepted is not None

    async def _pass_on_confirmations(self) -> None:
        """Store claims that arrive as signals; the poll sees them."""
        while True:
            await workflow.wait_condition(lambda: bool(self._confirmations))
            claim = self._confirmations.pop(0)
            try:
                await workflow.execute_local_activity_method(
                    RecordActivities.record_confirmation,
                    claim,
                    summary="store a confirmation",
                    **policies.CLAIM,
                )
            except ActivityError as error:
                workflow.logger.info("confirmation refused: %s", error.cause)

    async def _recorded(self, work: Awaitable[T]) -> T:
        """Await `work` to its end even when the operation is cancelled meanwhile."""
        task = asyncio.ensure_future(work)
        while not task.done():
            try:
                await asyncio.shield(task)
            except asyncio.CancelledError:
                if not self._cancelled():
                    raise
            except ActivityError as error:
                if isinstance(error.cause, ApplicationError) and error.cause.type == policies.FENCE_LOST:
                    raise ApplicationError(
                        error.cause.message, type=policies.FENCE_LOST, non_retryable=True
                    ) from None
                raise
        return task.result()

    def _cancelled(self) -> bool:
        """Whether the server was asked to cancel this run; eviction looks the same but has no reason."""
        return workflow.cancellation_reason() is not None

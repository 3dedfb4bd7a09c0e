"""A `Call` for provider tests: it counts, really sleeps, and can cancel the operation at a chosen moment."""

from __future__ import annotations

import time

from domain.errors import CallCancelled, FenceLost


class RecordingCall:
    def __init__(
        self,
        *,
        cancel_after_sleeps: int | None = None,
        cancel_after_seconds: float | None = None,
        lose_fence_at_guard: int | None = None,
        attempt: int | None = 1,
    ) -> None:
        """`lose_fence_at_guard` n: the n-th guard (from 1) finds another owner, like every later one."""
        self.attempt = attempt
        self.guards = 0
        self.sleeps = 0
        self.messages: list[str] = []
        self._cancel_after_sleeps = cancel_after_sleeps
        self._cancel_at = None if cancel_after_seconds is None else time.monotonic() + cancel_after_seconds
        self._lose_fence_at = lose_fence_at_guard

    def guard(self) -> None:
        self.guards += 1
        if self._lose_fence_at is not None and self.guards >= self._lose_fence_at:
            raise FenceLost("another operation owns the deployment")
        self._check_cancelled()

    def sleep(self, seconds: float) -> None:
        self.sleeps += 1
        self._check_cancelled()
        time.sleep(seconds)
        self._check_cancelled()

    def progress(self, message: str) -> None:
        self.messages.append(message)

    def _check_cancelled(self) -> None:
        by_count = self._cancel_after_sleeps is not None and self.sleeps > self._cancel_after_sleeps
        by_clock = self._cancel_at is not None and time.monotonic() >= self._cancel_at
        if by_count or by_clock:
            raise CallCancelled("the operation was cancelled")

"""Shows an operation while it runs: moving on a terminal, one line per finished step in a log, or not at all.

Used by `cli.following`, which feeds every answer of the API into `update`.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Protocol, Self

from cli import text
from cli.screen import Screen

Record = Mapping[str, Any]
MARKS = {"done": ("✓", "green"), "failed": ("✗", "red"), "skipped": ("–", "dim"), "pending": ("·", "dim")}
_SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"


class Progress(Protocol):
    """Anything that can show an operation."""

    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
    def update(self, operation: Record) -> None:
        """The operation as it is now."""

    def silence(self, seconds: float) -> None:
        """Berth has not answered for so long."""


class SilentProgress:
    """For programs."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def update(self, operation: Record) -> None:
        """Nothing is shown."""

    def silence(self, seconds: float) -> None:
        """Nothing is shown."""


class LineProgress(SilentProgress):
    """For logs: one line when a step has ended."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._told: set[int] = set()

    def update(self, operation: Record) -> None:
        for number, step in enumerate(operation.get("steps") or ()):
            if step.get("status") in ("done", "failed") and number not in self._told:
                self._told.add(number)
                self._screen.note(step_line(step))


def usual(record: Record) -> str:
    """` (usually 1.2s)` where this installation knows."""
    known = record.get("usual")
    median = known.get("p50") if isinstance(known, Mapping) else None
    return f" (usually {text.span(float(median))})" if isinstance(median, int | float) else ""


def step_line(step: Record) -> str:
    """One step: its mark, title, time, and attempts when there were several."""
    status = str(step.get("status"))
    spinner = _SPINNER[int(time.monotonic() * 10) % len(_SPINNER)]
    mark = MARKS[status][0] if status in MARKS else spinner
    attempts = step.get("attempts") or ()
    title = text.clean(step.get("title") or step.get("name") or "step")
    line = f"{mark} {title}"
    spent = elapsed(attempts)
    if spent is not None:
        line += f"  {text.span(spent)}"
    if status == "running":
        line += usual(step)
    return f"{line}  attempt {len(attempts)}" if len(attempts) > 1 else line


def elapsed(attempts: Any) -> float | None:
    """From the first attempt's start to the last one's end, or to now."""
    times = [text.moment(a.get("started_at")) for a in attempts]
    first = next((t for t in times if t), None)
    if first is None:
        return None
    last = text.moment(attempts[-1].get("ended_at")) or datetime.now(UTC)
    return max(0.0, (last - first).total_seconds())


def last_error(step: Record) -> str:
    """Why the latest attempt that failed did."""
    errors = [a.get("error") for a in step.get("attempts") or () if a.get("error")]
    if not errors:
        return ""
    error = errors[-1]
    return text.clean(error.get("message") if isinstance(error, Mapping) else error)

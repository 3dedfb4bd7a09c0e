"""The moving picture of an operation on a terminal. Imported by `cli.progress` only when somebody watches."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from cli import text
from cli.progress import MARKS, Record, SilentProgress, last_error, step_line, usual


class LiveProgress(SilentProgress):
    """For terminals: every step with its mark, elapsed time against the usual one, and attempts."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._operation: Record = {}
        self._silent_for = 0.0
        self._begun = time.monotonic()
        self._live = Live(
            console=Console(stderr=True),
            get_renderable=self._render,
            refresh_per_second=10,
            redirect_stdout=False,
            redirect_stderr=False,
        )

    def __enter__(self) -> Self:
        self._live.start(refresh=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def update(self, operation: Record) -> None:
        self._operation = operation
        self._silent_for = 0.0

    def silence(self, seconds: float) -> None:
        self._silent_for = seconds

    def _render(self) -> RenderableType:
        operation = self._operation
        rows = [Text(self._head(operation), style="bold", no_wrap=True, overflow="ellipsis")]
        for step in operation.get("steps") or ():
            style = MARKS.get(str(step.get("status")), ("", "cyan"))[1]
            rows.append(Text("  " + step_line(step), style=style, no_wrap=True, overflow="ellipsis"))
            error = last_error(step)
            if error and step.get("status") != "done":
                rows.append(Text(f"      {error}", style="yellow", no_wrap=True, overflow="ellipsis"))
        if self._silent_for:
            rows.append(
                Text(f"  Berth has not answered for {text.span(self._silent_for)}; trying again", "yellow")
            )
        return Group(*rows)

    def _head(self, operation: Record) -> str:
        head = f"{self._title}  {text.span(time.monotonic() - self._begun)}{usual(operation)}"
        if operation.get("status") == "pending":
            return f"{head}  waiting to start"
        late = text.moment(operation.get("slow_at"))
        if not operation.get("done") and late and datetime.now(UTC) > late:
            return f"{head}  slower than usual"
        return head

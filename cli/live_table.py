"""The table of `list --watch` on a terminal: in place, cut to the window, its last line saying how fresh it is.

Imported only when somebody watches.
"""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from types import FrameType
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from cli import text
from cli.lists import Column, cells_of, visible
from cli.screen import Format
from cli.session import Session

Row = dict[str, Any]
_AROUND = 3
"""Lines beside the rows: the heads, the last line, and where the cursor rests."""


class TableView:
    """Drawn when something happened, and when the window has another size."""

    def __init__(self, session: Session, columns: Sequence[Column]) -> None:
        self._screen = session.screen
        self._columns = columns
        self._rows: list[Row] = []
        self._at = datetime.now(UTC)
        self._why_old = ""
        self._console = Console(no_color=not self._screen.colour)
        self._live = Live(
            console=self._console,
            get_renderable=self._render,
            auto_refresh=False,
            redirect_stdout=False,
            redirect_stderr=False,
            vertical_overflow="crop",
        )
        self._live.start()
        self._resized_before = signal.signal(signal.SIGWINCH, self._resized)

    def show(self, rows: dict[str, Row], changed: Sequence[Row]) -> None:  # noqa: ARG002 - the whole is drawn
        """Draw the rows as they are now."""
        self._rows, self._at = list(rows.values()), datetime.now(UTC)
        self._live.refresh()

    def lost(self, why: str) -> None:
        """Say that what is shown may be old, or that it is not."""
        if why != self._why_old:
            self._why_old = why
            self._live.refresh()

    def close(self) -> None:
        """Leave the last picture on the screen."""
        signal.signal(signal.SIGWINCH, self._resized_before)
        self._live.stop()

    def _resized(self, _number: int, _frame: FrameType | None) -> None:
        self._live.refresh()

    def _render(self) -> RenderableType:
        room = max(1, self._console.size.height - _AROUND)
        shown = self._rows if len(self._rows) <= room else self._rows[: room - 1]
        columns = visible(self._columns, self._rows, wide=self._screen.format is Format.WIDE)
        cells = [cells_of(columns, row) for row in shown]
        lines = text.table([column.head for column in columns], cells, self._screen.colour)
        drawn = [_line(Text.from_ansi(line)) for line in lines]
        if len(shown) < len(self._rows):
            drawn.append(_line(Text(f"… {len(self._rows) - len(shown)} more; a filter shows fewer", "dim")))
        return Group(*drawn, _line(self._last_line()))

    def _last_line(self) -> Text:
        when = self._at.astimezone().strftime("%H:%M:%S")
        if self._why_old:
            return Text(f"{text.clean(self._why_old)} This was so at {when}; trying again …", "yellow")
        counts = Counter(str(row.get("status")) for row in self._rows)
        what = "  ".join(f"{number} {status}" for status, number in sorted(counts.items()))
        return Text(f"live since {when}  {what or 'no instances'}  Ctrl-C ends", "dim")


def _line(content: Text) -> Text:
    content.no_wrap, content.overflow = True, "ellipsis"
    return content

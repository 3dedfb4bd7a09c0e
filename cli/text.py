"""How things look in a terminal: colours, tables, ages. No printing here; `cli.screen` prints."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

_COLOURS = {"red": 31, "green": 32, "yellow": 33, "blue": 34, "magenta": 35, "cyan": 36, "dim": 2, "bold": 1}
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""Those that turn the direction of writing included: with them a line reads as what it is not."""

_SGR = re.compile(r"\x1b\[[0-9;]*m")

STATUS_COLOURS = {
    "running": "green",
    "succeeded": "green",
    "healthy": "green",
    "done": "green",
    "stopped": "dim",
    "cancelled": "dim",
    "unknown": "dim",
    "error": "red",
    "failed": "red",
    "unreachable": "red",
    "suspended": "yellow",
    "degraded": "yellow",
    "maintenance": "magenta",
    "pending": "cyan",
    "terminated": "dim",
}


def paint(text: str, colour: str, on: bool = True) -> str:
    """`text` in `colour`, or plain when colours are off."""
    code = _COLOURS.get(colour)
    return f"\x1b[{code}m{text}\x1b[0m" if on and code is not None else text


def clean(value: object) -> str:
    """One line without control characters: what a server sends must not steer the terminal."""
    return " ".join(_CONTROL.sub("", _SGR.sub("", str(value)).replace("\t", " ")).splitlines())


def clean_log(text: str) -> str:
    """A log line for a terminal: colours may stay, other control characters may not."""
    pieces = _SGR.split(text)
    colours = _SGR.findall(text)
    kept = [_CONTROL.sub("", piece) for piece in pieces]
    return "".join(a + b for a, b in zip(kept, [*colours, ""], strict=True))


def table(headers: Sequence[str], rows: Iterable[Sequence[Any]], colour: bool = False) -> list[str]:
    """Aligned columns two spaces apart, never cut: a pipe gets every character."""
    cells = [[clean("-" if cell is None or cell == "" else cell) for cell in row] for row in rows]
    widths = [max(map(_width, column)) for column in zip(headers, *cells, strict=True)]
    lines = [paint(_row(headers, widths), "bold", colour)]
    for row in cells:
        painted = [paint(c, STATUS_COLOURS.get(c.split(" ", 1)[0], ""), colour) for c in row]
        lines.append(_row(painted, widths, row))
    return lines


def _row(shown: Sequence[str], widths: Sequence[int], plain: Sequence[str] | None = None) -> str:
    measured = plain or shown
    padded = [s + " " * (w - _width(m)) for s, w, m in zip(shown, widths, measured, strict=True)]
    return "  ".join(padded).rstrip()


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text if not _is_mark(c))


def _is_mark(character: str) -> bool:
    """Whether it takes no column of its own: accents, joiners, variation selectors."""
    return unicodedata.category(character) in ("Mn", "Me", "Cf")


def fields(pairs: Iterable[tuple[str, Any]], colour: bool = False) -> list[str]:
    """`name  value` lines; fields without a value are left out."""
    shown = [(name, clean(value)) for name, value in pairs if value not in (None, "", {}, [])]
    width = max((len(name) for name, _ in shown), default=0)
    return [
        f"{paint(name.ljust(width), 'dim', colour)}  "
        f"{paint(value, STATUS_COLOURS.get(value.split(' ', 1)[0], ''), colour)}"
        for name, value in shown
    ]


def moment(text: object) -> datetime | None:
    """An RFC 3339 time, or None for anything else."""
    if not isinstance(text, str):
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def span(seconds: float) -> str:
    """A duration as people say it: 0.6s, 42s, 5m10s, 3h05m, 4d."""
    seconds = max(0.0, seconds)
    if seconds < 10:
        return f"{seconds:.1f}s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02d}s"
    if whole < 172800:
        return f"{whole // 3600}h{whole % 3600 // 60:02d}m"
    return f"{whole // 86400}d"


def age(text: object) -> str:
    """How long ago a time was; empty for no time."""
    then = moment(text)
    if then is None:
        return ""
    passed = (datetime.now(UTC) - then).total_seconds()
    return span(passed) if passed >= 10 else f"{max(0, int(passed))}s"


def until(then: datetime) -> str:
    """How long until a time: `in 3d`; `over` when it has passed."""
    left = (then - datetime.now(UTC)).total_seconds()
    if left > 172800:
        return f"in {round(left / 86400)}d"
    return f"in {span(left)}" if left > 0 else "over"


def short(value: object, width: int) -> str:
    """Its first words, as many as fit."""
    line = clean(value)
    return line if len(line) <= width else line[: width - 1].rstrip() + "…"


def pairs_text(mapping: object) -> str:
    """A mapping on one line: `a=1 b=2`."""
    if not isinstance(mapping, dict):
        return ""
    shown = ((k, v if isinstance(v, str) else json.dumps(v, ensure_ascii=False)) for k, v in mapping.items())
    return " ".join(f"{k}={v}" for k, v in shown if v != "null")

"""Prints a list in the format that was asked for. Used by every command that lists."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cli import text
from cli.screen import Format
from cli.session import Session

Item = Mapping[str, Any]


@dataclass(frozen=True)
class Column:
    """One column: its head, where its value is, and when it is shown."""

    head: str
    value: str | Callable[[Item], Any]
    wide: bool = False
    optional: bool = False
    """Left out of a list in which nothing has it."""

    def of(self, item: Item) -> Any:
        """The cell of one item."""
        return item.get(self.value) if isinstance(self.value, str) else self.value(item)


def since(key: str) -> Callable[[Item], str]:
    """A column showing how long ago."""
    return lambda item: text.age(item.get(key))


def spent(key: str) -> Callable[[Item], str]:
    """A column showing a duration stored in seconds."""
    return lambda item: text.span(float(item[key])) if item.get(key) is not None else ""


def visible(columns: Sequence[Column], items: Sequence[Item], *, wide: bool) -> list[Column]:
    """The columns that this list shows."""
    return [
        column
        for column in columns
        if (wide or not column.wide) and (not column.optional or any(column.of(item) for item in items))
    ]


def cells_of(columns: Sequence[Column], item: Item) -> list[Any]:
    """One row of a table."""
    return [column.of(item) for column in columns]


def show(session: Session, page: Mapping[str, Any], columns: Sequence[Column], *, name: str = "name") -> None:
    """The list on standard output; an empty one says so to people."""
    screen = session.screen
    items: list[Item] = page.get("items") or []
    if screen.format in (Format.JSON, Format.YAML):
        screen.document(page)
        return
    if screen.format is Format.NAME:
        screen.lines(text.clean(item.get(name)) for item in items)
        return
    if not items:
        screen.note("nothing to show")
        return
    shown = visible(columns, items, wide=screen.format is Format.WIDE)
    screen.lines(text.table([c.head for c in shown], (cells_of(shown, i) for i in items), screen.colour))

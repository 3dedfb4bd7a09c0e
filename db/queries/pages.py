"""Keyset pages, so that inserts between two pages neither repeat nor hide a row. Newest first, or as asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Row, Select, SQLColumnExpression, tuple_
from sqlalchemy.orm import InstrumentedAttribute, Session

Record = Row[Any]
Value = datetime | str | int


@dataclass(frozen=True)
class Position:
    """The last row of the page before: what the list is ordered by, and the id that settles ties."""

    value: Value
    id: str


@dataclass(frozen=True)
class Keyset:
    """The two columns that order a list; an index covers them. `name`: of the first in the rows of the query."""

    value: SQLColumnExpression[Any]
    id: InstrumentedAttribute[str]
    descending: bool = True
    name: str | None = None

    def page(
        self, session: Session, query: Select[Any], after: Position | None, size: int
    ) -> tuple[Sequence[Record], Position | None]:
        """Up to `size` rows after `after`, and where the next page starts (None: that was all)."""
        order = tuple_(self.value, self.id)
        if after is not None:
            given = (after.value, after.id)
            query = query.where(order < given if self.descending else order > given)
        columns = (self.value, self.id)
        query = query.order_by(*(c.desc() if self.descending else c.asc() for c in columns)).limit(size + 1)
        rows = session.execute(query).all()
        if len(rows) <= size:
            return rows, None
        last = rows[size - 1]
        value = getattr(last, self.name or str(getattr(self.value, "key", "")))
        return rows[:size], Position(
            value.value if isinstance(value, StrEnum) else value, getattr(last, self.id.key)
        )


def like_pattern(part: str) -> str:
    """`part` anywhere in a text, its wildcards taken literally (escape character `\\`)."""
    escaped = part.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"

"""Keyset pages: newest first by (time, id), so that inserts between two pages neither repeat nor hide a row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, tuple_
from sqlalchemy.orm import InstrumentedAttribute, Session

Record = Row[Any]


@dataclass(frozen=True)
class Position:
    """The last row of the page before."""

    time: datetime
    id: str


@dataclass(frozen=True)
class Keyset:
    """The two columns that order a list; an index covers them."""

    time: InstrumentedAttribute[Any]
    id: InstrumentedAttribute[str]

    def page(
        self, session: Session, query: Select[Any], after: Position | None, size: int
    ) -> tuple[Sequence[Record], Position | None]:
        """Up to `size` rows after `after`, and where the next page starts (None: that was all)."""
        if after is not None:
            query = query.where(tuple_(self.time, self.id) < (after.time, after.id))
        query = query.order_by(self.time.desc(), self.id.desc()).limit(size + 1)
        rows = session.execute(query).all()
        if len(rows) <= size:
            return rows, None
        last = rows[size - 1]
        return rows[:size], Position(getattr(last, self.time.key), getattr(last, self.id.key))


def like_pattern(part: str) -> str:
    """`part` anywhere in a text, its wildcards taken literally (escape character `\\`)."""
    escaped = part.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"

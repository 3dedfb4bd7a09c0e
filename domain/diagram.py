"""The arrows of the state diagram, from the table of moves. Used by the documents and the tests."""

from __future__ import annotations

from collections.abc import Iterator

from domain.lifecycle import MOVES, Status


def edges() -> Iterator[tuple[Status | None, Status, str]]:
    """(from, to, label) of the state diagram; None is 'does not exist yet'."""
    for move in MOVES:
        if move.during is None:
            for start in sorted(move.legal_from):
                if isinstance(move.done, Status):
                    yield start, move.done, move.operation.value
            continue
        starts: list[Status | None] = [*sorted(move.legal_from)] or [None]
        for origin in starts:
            if origin != move.during:
                yield origin, move.during, move.operation.value
        for origin in sorted(move.with_hold):
            yield origin, move.during, f"{move.operation.value} (held)"
        if isinstance(move.done, Status):
            yield move.during, move.done, "done"
        if isinstance(move.failed, Status):
            yield move.during, move.failed, "failed"

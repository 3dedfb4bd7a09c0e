"""The table of observations in words: every status and origin of an error, against everything that can be seen.

Asked of `domain.observations.decide` cell by cell, for docs/lifecycle.md and for the test that prints it.
"""

from __future__ import annotations

from collections.abc import Iterator

from domain.lifecycle import Status
from domain.observations import Verdict, decide
from domain.operations import ErrorOrigin
from domain.work import Seen

State = tuple[Status | None, ErrorOrigin | None, bool]
"""Status, origin of its error, and whether an operation of its deployment is not finished."""


def states() -> Iterator[State]:
    """Everything that a record can be; None stands for no record."""
    for busy in (False, True):
        for status in Status:
            if busy and status is Status.TERMINATED:
                continue  # it has no row, and so nobody works on it
            origins = tuple(ErrorOrigin) if status is Status.ERROR else (None,)
            yield from ((status, origin, busy) for origin in origins)
    yield None, None, False


def words(state: State) -> str:
    """A row's name."""
    status, origin, busy = state
    if status is None:
        return "no record"
    name = f"error ({origin}'s)" if origin is not None else status.value
    return f"{name}, operation unfinished" if busy else name


def cell(state: State, seen: Seen) -> str:
    """What happens, in a word."""
    status, origin, busy = state
    return _cell(decide(status, origin, seen, busy=busy))


def _cell(verdict: Verdict) -> str:
    if verdict.status is not None:
        return f"→ {verdict.status.value}"
    if verdict.report:
        return "report"
    if verdict.stop_again:
        return "= D, alert, stop again"
    return "= D" if verdict.drift else "="


def matrix(*, whole: bool) -> list[tuple[str, ...]]:
    """Rows with their names, a head first. Without `whole`, rows in which nothing ever happens are one."""
    head = ("status", *(seen.value.replace("_", " ") for seen in Seen))
    rows = [(words(state), *(cell(state, seen) for seen in Seen)) for state in states()]
    if whole:
        return [head, *rows]
    busy = ("in progress, or an operation unfinished", *("=" for _ in Seen))
    quiet = [row for row in rows if set(row[1:]) != {"="}]
    return [head, *quiet[:-2], busy, *quiet[-2:]]

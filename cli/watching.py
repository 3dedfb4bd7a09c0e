"""`berth list --watch`: the list as it changes. Drawn again when something happened, never by a clock.

On a terminal the table stays in place; elsewhere each row that changed is one line, with --json one object.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NoReturn, Protocol

from cli import text
from cli.calls import at
from cli.errors import ApiProblem, ExitCode, UsageProblem
from cli.feed import OUTAGE_SECONDS, News, follow
from cli.following import latest
from cli.lists import Column, cells_of
from cli.screen import Format
from cli.session import Session

Row = dict[str, Any]
Rows = dict[str, Row]
_FEW = 5
"""So many changed instances are asked for one by one; of more the whole list is read again."""

_UNTOLD = frozenset({"health_checked_at"})
"""What moves on without anything having happened."""


class View(Protocol):
    """Where the rows go."""

    def show(self, rows: Rows, changed: Sequence[Row]) -> None:
        """All rows as they are now, and which of them are news; one that has left carries `gone`."""

    def lost(self, why: str) -> None:
        """What is shown may be old; empty: it is not."""

    def close(self) -> None:
        """The watch is over."""


def watch(session: Session, query: Mapping[str, Any], columns: Sequence[Column]) -> NoReturn:
    """Until Ctrl-C."""
    view = _view_for(session, columns)
    rows: Rows = {}
    try:
        for news in follow(session):
            if news.lost:
                view.lost(news.lost)
                continue
            if news.fresh or news.gap:
                view.lost("")
            now = rows_after(session, query, rows, news)
            changed = [*departed(session, rows, now), *differences(rows, now)]
            if changed or news.fresh:
                view.show(now, changed)
            rows = now
    finally:
        view.close()
    raise AssertionError("the feed has no end")


def rows_after(session: Session, query: Mapping[str, Any], rows: Rows, news: News) -> Rows:
    """The rows after `news`, read from the server: it alone knows what fits the filter."""
    touched = {event.get("instance_id") for event in news.events}
    if not touched and not (news.fresh or news.gap):
        return rows
    filtered = any(value is not None for value in query.values())
    if filtered or news.fresh or news.gap or None in touched or len(touched) > _FEW:
        items = session.client.everything("/instances", query, patience=OUTAGE_SECONDS)["items"]
        return {item["id"]: item for item in items}
    return _with(session, rows, [str(instance_id) for instance_id in touched])


def _with(session: Session, rows: Rows, instance_ids: Iterable[str]) -> Rows:
    now = dict(rows)
    for instance_id in instance_ids:
        try:
            record = session.client.get(at("instances", instance_id), patience=OUTAGE_SECONDS).body
        except ApiProblem as problem:
            if problem.code is not ExitCode.NOT_FOUND:
                raise
            now.pop(instance_id, None)
        else:
            # New ones are on top, as in the list.
            now = now | {instance_id: record} if instance_id in now else {instance_id: record, **now}
    return now


def departed(session: Session, before: Rows, now: Rows) -> list[Row]:
    """What has left the list, told once more with `gone`, as the server knows it.

    Asked for, not taken from the event that came: by then more may have happened than that event tells.
    """
    left = [row for key, row in before.items() if key not in now]
    known = left if len(left) > _FEW else [latest(session, row, row["id"]) for row in left]
    return [{**row, "gone": True} for row in known]


def differences(before: Rows, now: Rows) -> list[Row]:
    """The rows that are new, or not as they were."""
    return [row for key, row in now.items() if key not in before or _telling(row) != _telling(before[key])]


def _telling(row: Row) -> Row:
    return {key: value for key, value in row.items() if key not in _UNTOLD}


def _view_for(session: Session, columns: Sequence[Column]) -> View:
    screen = session.screen
    if screen.format is Format.YAML:
        raise UsageProblem("--watch has no YAML form.", detail="Take --json for one object per changed row.")
    if not screen.is_machine and screen.is_drawable:
        from cli.live_table import TableView

        return TableView(session, columns)
    return LineView(session, _line_of(session, [c for c in columns if screen.format is Format.WIDE or not c.wide]))


class LineView:
    """For programs and pipes."""

    def __init__(self, session: Session, line_of: Callable[[Row], str]) -> None:
        self._session = session
        self._line_of = line_of
        self._lost = False

    def show(self, rows: Rows, changed: Sequence[Row]) -> None:  # noqa: ARG002 - the others were told
        """One line for each row that is news."""
        self._session.screen.lines(self._line_of(row) for row in changed)

    def lost(self, why: str) -> None:
        """Said on standard error, once each way."""
        if why:
            self._session.screen.note(f"{text.clean(why)} Trying again …")
        elif self._lost:
            self._session.screen.note("connected again")
        self._lost = bool(why)

    def close(self) -> None:
        """Lines need no end."""


def _line_of(session: Session, columns: Sequence[Column]) -> Callable[[Row], str]:
    wanted = session.screen.format
    if wanted is Format.JSON:
        return session.screen.as_json
    if wanted is Format.NAME:
        return lambda row: text.clean(row.get("name"))
    return lambda row: "  ".join(
        [*(text.clean(cell) for cell in cells_of(columns, row)), *(["(gone)"] if row.get("gone") else [])]
    )

"""Commands that read what flows: events and logs, once or for as long as you watch."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from cli import names, text, values
from cli.calls import at
from cli.errors import ApiProblem, CliError, ExitCode
from cli.events import EVENTS, named
from cli.lists import show
from cli.screen import Format
from cli.session import Session, reads
from domain.log_window import MARK_LINES, unseen

if TYPE_CHECKING:
    from cli.feed import News

app = typer.Typer()
PANEL = "Look"
USUAL, MOST = 50, 1000
OUTAGE_SECONDS = 120.0
LOG_SECONDS = 1.0
LOG_WINDOW = 2000

Follow = Annotated[bool, typer.Option("--follow", "-f", help="Go on until Ctrl-C.")]


@app.command("events", rich_help_panel=PANEL)
@reads
def events(
    session: Session,
    name: names.OptionalName = None,
    instance: Annotated[
        str | None, typer.Option("--instance", help="As NAME.", autocompletion=names.complete_instance)
    ] = None,
    types: Annotated[
        list[str] | None,
        typer.Option("--type", metavar="EVENT", help="Only these: LAUNCH_CONFIRMED … Repeatable."),
    ] = None,
    since: Annotated[
        str | None, typer.Option("--since", metavar="TIME", help="10m, 2h, or 2026-11-21T14:00:00Z.")
    ] = None,
    after: Annotated[str | None, typer.Option("--after", metavar="CURSOR", help="Only what came later.")] = None,
    limit: Annotated[
        int | None, typer.Option("--limit", min=1, help="How many of the latest; 50, with --since all.")
    ] = None,
    follow: Follow = False,
) -> None:
    """Show the one feed of everything that changes; with --json --follow one object a line."""
    wanted = _wanted(types, since)
    page = _page(session, instance or name, wanted, after, limit)
    if follow:
        _follow(session, page, wanted)
    if not session.screen.is_machine:
        page = {"items": [*named(session, page["items"])]}
    show(session, page, EVENTS, name="cursor")
    session.screen.next(session.berth("events --follow"))


@dataclass(frozen=True)
class _Wanted:
    """Which events are shown."""

    types: frozenset[str]
    since: datetime | None

    def fits(self, event: Mapping[str, Any]) -> bool:
        if self.types and event.get("event_type") not in self.types:
            return False
        begun = text.moment(event.get("time"))
        return self.since is None or begun is None or begun >= self.since


def _wanted(types: list[str] | None, since: str | None) -> _Wanted:
    words = (word for given in types or () for word in given.split(","))
    return _Wanted(frozenset(word.strip().upper() for word in words), values.moment(since) if since else None)


def _page(
    session: Session, name: str | None, wanted: _Wanted, after: str | None, limit: int | None
) -> dict[str, Any]:
    """The events there are, and the filter in the answer under `instance_id` for those that follow."""
    instance_id = session.client.get(at("instances", name)).body["id"] if name else None
    only = next(iter(wanted.types)) if len(wanted.types) == 1 else None
    query = {"instance_id": instance_id, "event_type": only, "after": after}
    if wanted.since and after is None:
        page = _all_since(session, query, wanted.since)
    else:
        page = session.client.get("/events", {**query, "limit": limit or USUAL}).body
    fitting = [event for event in page["items"] if wanted.fits(event)]
    return {**page, "items": fitting[-limit:] if limit else fitting, "instance_id": instance_id}


def _all_since(session: Session, query: Mapping[str, Any], since: datetime) -> dict[str, Any]:
    """Page after page in the form of one."""
    page = session.client.get("/events", {**query, "since": since.isoformat(), "limit": MOST}).body
    found = page["items"]
    while len(page["items"]) == MOST:
        page = session.client.get("/events", {**query, "after": page["next"], "limit": MOST}).body
        found = found + page["items"]
    return {**page, "items": found}


def _follow(session: Session, page: dict[str, Any], wanted: _Wanted) -> NoReturn:
    events = _endless(session, page, wanted)
    for event in events if session.screen.is_machine else named(session, events):
        _print_event(session, event)
    raise AssertionError("the feed has no end")


def _endless(session: Session, page: dict[str, Any], wanted: _Wanted) -> Iterator[dict[str, Any]]:
    if page["snapshot_required"]:
        _tell_gap(session, page["next"])
    yield from page["items"]
    cursor, was_lost = page["next"], False
    from cli import feed

    try:
        for news in feed.follow(session, cursor, page["instance_id"]):
            was_lost = _tell_connection(session, news, was_lost)
            if news.gap:
                _tell_gap(session, news.cursor)
            yield from filter(wanted.fits, news.events)
            cursor = news.cursor or cursor
    except (KeyboardInterrupt, CliError):
        session.screen.next(session.berth(f"events --follow --after {cursor}"))
        raise


def _tell_connection(session: Session, news: News, was_lost: bool) -> bool:
    if news.lost:
        session.screen.note(f"{text.clean(news.lost)} Trying again …")
    elif was_lost and news.fresh:
        session.screen.note("connected again; nothing was missed")
    return bool(news.lost)


def _tell_gap(session: Session, cursor: str) -> None:
    """Programs are told too: what they know is no longer the whole story."""
    if session.screen.format is Format.JSON:
        session.screen.lines([session.screen.as_json({"snapshot_required": True, "cursor": cursor})])
    session.screen.note("older events are not kept any more; going on from here")


def _print_event(session: Session, event: Mapping[str, Any]) -> None:
    screen = session.screen
    if screen.format is Format.JSON:
        screen.lines([screen.as_json(event)])
        return
    if screen.format is Format.NAME:
        screen.lines([str(event.get("cursor"))])
        return
    cells = [column.of(event) for column in EVENTS if not column.wide or screen.format is Format.WIDE]
    screen.lines(["  ".join(text.clean(cell) for cell in cells if cell)])


@app.command("logs", rich_help_panel=PANEL)
@reads
def logs(
    session: Session,
    name: names.Name,
    tail: Annotated[int, typer.Option("--tail", "-n", min=0, help="How many lines.")] = 100,
    follow: Follow = False,
) -> None:
    """Show an instance's own output."""
    path = at("instances", name, "logs")
    answer = session.client.get(path, {"tail": max(tail, MARK_LINES) if follow else tail}).body
    if session.screen.format in (Format.JSON, Format.YAML) and not follow:
        session.screen.document(answer)
        return
    known: list[str] = answer["lines"]
    _print_logs(session, known[-tail:] if tail else [])
    if follow:
        _follow_logs(session, path, known)
    else:
        session.screen.next(session.berth(f"logs {name} --follow"))


def _follow_logs(session: Session, path: str, known: list[str]) -> None:
    """Until Ctrl-C, or until the instance is gone. A provider tells last lines only, as many as are asked for."""
    while True:
        time.sleep(LOG_SECONDS)
        try:
            window = session.client.get(path, {"tail": LOG_WINDOW}, patience=OUTAGE_SECONDS).body["lines"]
        except ApiProblem as problem:
            if problem.code is not ExitCode.NOT_FOUND:
                raise
            session.screen.note(f"{text.clean(problem.title)} {text.clean(problem.detail)}".rstrip())
            return
        news = unseen(known, window)
        if known and len(news) == LOG_WINDOW:
            session.screen.note("… more was written than can be shown; some lines are left out")
        _print_logs(session, news)
        known = window


def _print_logs(session: Session, lines: list[str]) -> None:
    clean = text.clean_log if sys.stdout.isatty() else str
    session.screen.lines(clean(line) for line in lines)

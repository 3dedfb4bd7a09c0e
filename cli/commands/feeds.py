"""Commands that read what flows: events and logs, once or for as long as you watch."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, NoReturn

import typer

from cli import names, text
from cli.calls import Call, at
from cli.events import EVENTS, named
from cli.lists import show
from cli.screen import Format
from cli.session import Session, reads

app = typer.Typer()
PANEL = "Look"
WAIT_SECONDS = 20.0
OUTAGE_SECONDS = 120.0
LOG_SECONDS = 2.0
LOG_WINDOW = 1000
MARK_LINES = 50

Follow = Annotated[bool, typer.Option("--follow", "-f", help="Go on until Ctrl-C.")]


@app.command("events", rich_help_panel=PANEL)
@reads
def events(
    session: Session,
    name: names.OptionalName = None,
    after: Annotated[str | None, typer.Option("--after", metavar="CURSOR", help="Only what came later.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="How many.")] = 50,
    follow: Follow = False,
) -> None:
    """Show the one feed of everything that changes; with --json --follow one object a line."""
    instance_id = session.client.get(at("instances", name)).body["id"] if name else None
    query = {"instance_id": instance_id, "limit": limit}
    page = session.client.get("/events", {**query, "after": after}).body
    if follow:
        _follow(session, query, page)
    if not session.screen.is_machine:
        page = {"items": [*named(session, page["items"])]}
    show(session, page, EVENTS, name="cursor")
    session.screen.next(session.berth("events --follow"))


def _follow(session: Session, query: dict[str, Any], page: dict[str, Any]) -> NoReturn:
    events = _endless(session, query, page)
    for event in events if session.screen.is_machine else named(session, events):
        _print_event(session, event)
    raise AssertionError("the feed has no end")


def _endless(session: Session, query: dict[str, Any], page: dict[str, Any]) -> Iterator[dict[str, Any]]:
    while True:
        if page.get("snapshot_required"):
            session.screen.note("older events are not kept any more; going on from here")
        yield from page["items"]
        page = _wait_for_more(session, {**query, "after": page["next"]})


def _wait_for_more(session: Session, query: dict[str, Any]) -> dict[str, Any]:
    """The next events after a cursor, however long that takes: a lost connection loses none of them."""
    call = Call(
        "GET",
        "/events",
        params={**{k: v for k, v in query.items() if v is not None}, "wait": WAIT_SECONDS},
        read_seconds=WAIT_SECONDS + 10,
        patience=OUTAGE_SECONDS,
    )
    return session.client.send(call).body


def _print_event(session: Session, event: Mapping[str, Any]) -> None:
    screen = session.screen
    if screen.format is Format.JSON:
        screen.lines([json.dumps(event, ensure_ascii=False)])
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
    while follow:
        time.sleep(LOG_SECONDS)
        window = session.client.get(path, {"tail": LOG_WINDOW}, patience=OUTAGE_SECONDS).body["lines"]
        _print_logs(session, unseen(known, window))
        known = window


def unseen(known: list[str], window: list[str]) -> list[str]:
    """What of the latest lines comes behind those that are known: behind the last place where these end."""
    mark = known[-MARK_LINES:]
    if mark:
        for end in range(len(window), len(mark) - 1, -1):
            if window[end - len(mark) : end] == mark:
                return window[end:]
    return window


def _print_logs(session: Session, lines: list[str]) -> None:
    clean = text.clean_log if sys.stdout.isatty() else str
    session.screen.lines(clean(line) for line in lines)

"""Commands that read what flows: events and logs, once or for as long as you watch."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from typing import Annotated, Any

import typer

from cli import names, text
from cli.commands.looking import EVENTS
from cli.errors import Unreachable
from cli.lists import show
from cli.screen import Format
from cli.session import Session, reads

app = typer.Typer()
PANEL = "Look"
FOLLOW_PATIENCE_SECONDS = 120.0

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
    instance_id = session.client.get(f"/instances/{name}").body["id"] if name else None
    page = session.client.get("/events", {"after": after, "limit": limit, "instance_id": instance_id}).body
    page["items"] = [e for e in page.get("items") or () if _concerns(e, instance_id)]
    if not follow:
        show(session, page, EVENTS, name="cursor")
        session.screen.next(session.berth("events --follow"))
        return
    for event in page["items"]:
        _print_event(session, event)
    for event in _following(session, page.get("next") or after):
        if _concerns(event, instance_id):
            _print_event(session, event)


def _concerns(event: dict[str, Any], instance_id: str | None) -> bool:
    return instance_id is None or event.get("instance_id") == instance_id


def _following(session: Session, cursor: str | None) -> Iterator[dict[str, Any]]:
    """Events from the stream, resumed at the last cursor whenever the connection breaks."""
    silent_since: float | None = None
    while True:
        try:
            with session.client.lines("/events/stream", {"after": cursor}) as lines:
                for data in _payloads(lines):
                    silent_since = None
                    cursor = data.get("cursor") or cursor
                    if data.get("event_type"):
                        yield data
        except Unreachable:
            now = time.monotonic()
            silent_since = silent_since or now
            if now - silent_since > FOLLOW_PATIENCE_SECONDS:
                raise
        time.sleep(0.5)


def _payloads(lines: Iterator[str]) -> Iterator[dict[str, Any]]:
    """The JSON objects of a stream of server-sent events; comments and other lines are keep-alive."""
    data: list[str] = []
    for line in lines:
        if line.startswith("data:"):
            data.append(line[5:].strip())
        elif not line and data:
            value = json.loads("\n".join(data))
            data = []
            if isinstance(value, dict):
                yield value


def _print_event(session: Session, event: dict[str, Any]) -> None:
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
    path = f"/instances/{name}/logs"
    if follow:
        with session.client.lines(path, {"tail": tail, "follow": "true"}) as lines:
            for line in lines:
                _print_log(session, line)
        return
    answer = session.client.get(path, {"tail": tail}).body
    if session.screen.format in (Format.JSON, Format.YAML):
        session.screen.document(answer)
        return
    for line in _log_lines(answer):
        _print_log(session, line)


def _log_lines(answer: dict[str, Any]) -> list[str]:
    """Lines from whichever form the answer has: text, lines, or items."""
    found = answer.get("lines", answer.get("items", answer.get("text", "")))
    if isinstance(found, str):
        return found.splitlines()
    return [str(i.get("message", i.get("line", ""))) if isinstance(i, dict) else str(i) for i in found]


def _print_log(session: Session, line: str) -> None:
    session.screen.lines([text.clean_log(line) if sys.stdout.isatty() else line])

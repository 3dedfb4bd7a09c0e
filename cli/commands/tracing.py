"""`berth trace OP`: what was done for an operation, from the request to the provider's calls, as a waterfall."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import typer

from cli import text
from cli.calls import at
from cli.screen import Format
from cli.session import Session, reads

app = typer.Typer()
PANEL = "Operations"
_WIDTH = 40


@app.command("trace", rich_help_panel=PANEL)
@reads
def trace(
    session: Session,
    operation: Annotated[str, typer.Argument(metavar="OP", help="The id of an operation.")],
) -> None:
    """Show the trace of an operation; spans are kept for some days."""
    found = session.client.get(at("operations", operation, "trace")).body
    if session.screen.format in (Format.JSON, Format.YAML):
        session.screen.document(found)
        return
    if not found["spans"]:
        session.screen.lines(["No spans are kept of this operation."])
        return
    rows = list(_rows(found["spans"]))
    table = text.table(["AT MS", "TOOK MS", "SERVICE", "WHAT", ""], rows, session.screen.colour)
    session.screen.lines([f"trace {found['trace_id']}", *table])


def _rows(spans: list[Any]) -> Iterator[list[Any]]:
    """Parents before their children, each indented below it, with a bar for its time."""
    whole = max(span["offset_ms"] + span["ms"] for span in spans) or 1.0
    known = {span["span_id"] for span in spans}
    below: dict[str | None, list[Any]] = {}
    for span in spans:
        below.setdefault(span["parent_id"] if span["parent_id"] in known else None, []).append(span)

    def walk(parent: str | None, depth: int) -> Iterator[list[Any]]:
        for span in below.get(parent, ()):
            start = int(span["offset_ms"] / whole * _WIDTH)
            length = max(1, round(span["ms"] / whole * _WIDTH))
            mark = "█" if span["ok"] else "▓"
            bar = " " * start + mark * min(length, _WIDTH - start)
            name = f"{'  ' * depth}{span['name']}{'' if span['ok'] else ' ✗'}"
            yield [f"{span['offset_ms']:.1f}", f"{span['ms']:.1f}", span["service"], name, bar]
            yield from walk(span["span_id"], depth + 1)

    yield from walk(None, 0)

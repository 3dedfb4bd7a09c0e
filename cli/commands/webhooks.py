"""`berth webhooks`: what billing has sent, what was made of it, and once more."""

from __future__ import annotations

from typing import Annotated

import typer

from cli import text
from cli.calls import at
from cli.lists import Column, show, since
from cli.screen import Format
from cli.session import Session, reads

app = typer.Typer()
webhooks_app = typer.Typer(no_args_is_help=True, help="What billing has sent.")
PANEL = "Operations"

_COLUMNS = (
    Column("RECEIVED", since("received_at")),
    Column("TYPE", "type"),
    Column("SUBJECT", "subject"),
    Column("VERDICT", "verdict"),
    Column("DETAIL", "detail"),
    Column("OPERATION", "operation_id"),
    Column("ID", "id"),
    Column("WEBHOOK", "webhook_id", wide=True),
    Column("OCCURRED", "occurred_at", wide=True),
)


@webhooks_app.command("list")
@reads
def list_webhooks(
    session: Session, limit: Annotated[int, typer.Option("--limit", min=1, help="How many.")] = 50
) -> None:
    """List deliveries with their verdict, newest first."""
    show(session, session.client.everything("/webhooks", limit=limit), _COLUMNS, name="id")
    session.screen.next(session.berth("webhooks replay ID"))


@webhooks_app.command("replay")
@reads
def replay_webhook(
    session: Session, delivery: Annotated[str, typer.Argument(metavar="ID", help="Of `berth webhooks list`.")]
) -> None:
    """Judge a delivery again, as if it came now. What is newer still wins."""
    done = session.client.post(at("webhooks", delivery, "replay")).body
    if session.screen.format in (Format.JSON, Format.YAML):
        session.screen.document(done)
        return
    words = [done.get("verdict"), done.get("subject"), done.get("detail"), done.get("operation_id")]
    session.screen.lines([text.clean("  ".join(str(word) for word in words if word))])
    operation = done.get("operation_id")
    session.screen.next(session.berth(f"wait {operation}" if operation else "webhooks list"))


app.add_typer(webhooks_app, name="webhooks", rich_help_panel=PANEL)

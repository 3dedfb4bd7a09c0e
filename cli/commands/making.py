"""`berth create`: the first command anybody types."""

from __future__ import annotations

from typing import Annotated

import typer

from cli import names
from cli.following import finish
from cli.session import Session, changes
from cli.wishes import Wish, wishing

app = typer.Typer()
PANEL = "Change"


@app.command("create", rich_help_panel=PANEL)
@changes
@wishing
def create(
    session: Session,
    wish: Wish,
    name: Annotated[str, typer.Argument(metavar="NAME", help="a-z, 0-9 and -, starting with a letter.")],
    blueprint: names.Blueprint,
    provider: names.Provider = "process",
    database: Annotated[
        str | None, typer.Option("--database", help="For what needs one: dedicated (default) or shared.")
    ] = None,
) -> int:
    """Create an instance, or a deployment of several."""
    body = {"name": name, "blueprint": blueprint, "provider": provider, **wish.body()}
    if database is not None:
        body["database"] = {"mode": database}
    return finish(session, session.client.post("/instances", body), name)

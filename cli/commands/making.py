"""`berth create`: the first command anybody types."""

from __future__ import annotations

from typing import Annotated

import typer

from cli import names
from cli.following import finish
from cli.session import Session, changes
from cli.wishes import Birth, Wish, bearing

app = typer.Typer()
PANEL = "Change"


@app.command("create", rich_help_panel=PANEL)
@changes
@bearing
def create(
    session: Session,
    wish: Wish,
    birth: Birth,
    name: Annotated[str, typer.Argument(metavar="NAME", help="a-z, 0-9 and -, starting with a letter.")],
    blueprint: names.Blueprint,
    provider: names.Provider = "process",
) -> int:
    """Create an instance, or a deployment of several."""
    body = {"name": name, "blueprint": blueprint, "provider": provider, **wish.body(), **birth.body()}
    return finish(session, session.client.post("/instances", body), name)

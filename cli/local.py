"""The commands about this machine's own Berth: up, down, status, env, token, doctor. `cli.program` adds them."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from cli import up
from cli.local_session import AsJson, DataDir, explained, installation_of, print_json, say, settings_for

PANEL = "This machine"

local_app = typer.Typer()
token_app = typer.Typer(no_args_is_help=True, help="The token that the CLI and programs send.")
up.register(local_app, PANEL)
local_app.add_typer(token_app, name="token", rich_help_panel=PANEL)


@local_app.command("down", rich_help_panel=PANEL)
def down(
    data_dir: DataDir = None,
    purge: Annotated[
        bool, typer.Option("--purge", help="Also end this machine's instances and remove all data, for good.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Stop a running `berth up` and its PostgreSQL. Instances go on, and data is kept unless --purge is given."""
    with explained(as_json):
        from embedded.down import down as take_down
        from embedded.errors import NotUsableError
        from embedded.installation import find_installation

        settings = settings_for(data_dir)
        installation = find_installation(settings.data_dir)
        if installation is None:
            say(f"nothing to stop: there is no Berth in {settings.data_dir}")
        else:
            if purge and not yes:
                if not sys.stdin.isatty():
                    raise NotUsableError(f"--purge removes all data in {settings.data_dir}: add --yes to mean it")
                typer.confirm(
                    f"End this machine's instances and remove all data in {settings.data_dir}?",
                    abort=True,
                    err=True,
                )
            take_down(installation, purge, say)
            say("down" + (", nothing is left" if purge else "; data is kept, `berth up` starts again"))
        if as_json:
            print_json({"event": "down", "data_dir": str(settings.data_dir), "purged": purge})


@local_app.command("status", rich_help_panel=PANEL)
def status(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Show whether Berth runs here, where, and as which processes."""
    with explained(as_json):
        from embedded.errors import NotUpError
        from embedded.probe import complaint, is_ready
        from embedded.state import running_state

        installation = installation_of(settings_for(data_dir))
        state = running_state(installation)
        if state is None:
            raise NotUpError(f"Berth is not running in {installation.data_dir}: start it with `berth up`")
        if state.ready is None:
            raise NotUpError(f"Berth is starting in {installation.data_dir} (pid {state.supervisor.pid})")
        ready = is_ready(state.url)
        if as_json:
            print_json(dict(state.ready) | {"event": "ready" if ready else "not_ready"})
        else:
            _print_status(state.ready, "ready" if ready else complaint(state.url) or "the API does not answer")
    if not ready:
        raise typer.Exit(6)


@local_app.command("env", rich_help_panel=PANEL)
def env(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Print shell exports for this Berth: eval "$(berth env)"."""
    with explained(as_json):
        from embedded import shell
        from embedded.errors import NotUpError
        from embedded.state import running_state

        settings = settings_for(data_dir)
        installation = installation_of(settings)
        state = running_state(installation)
        if state is None:
            raise NotUpError(f"Berth is not running in {installation.data_dir}: start it with `berth up`")
        values = shell.exports(installation, state, settings)
        if as_json:
            print_json(values | {"PATH": str(installation.bin)})
        else:
            typer.echo(shell.script(installation, values))


@token_app.command("show")
def show_token(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Print the token of this machine's Berth."""
    with explained(as_json):
        token = installation_of(settings_for(data_dir)).token_file.read_text().strip()
        if as_json:
            print_json({"token": token})
        else:
            typer.echo(token)


@local_app.command("doctor", rich_help_panel=PANEL)
def doctor(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Say what this machine has and lacks, each with what helps. Exit code 1 when Berth cannot run here."""
    with explained(as_json):
        from embedded.doctor import Verdict, examine

        findings = examine(settings_for(data_dir))
        broken = any(finding.verdict == Verdict.MISSING for finding in findings)
        if as_json:
            print_json({"ok": not broken, "items": [finding.as_record() for finding in findings]})
        else:
            marks = {Verdict.OK: "✓", Verdict.OFF: "–", Verdict.MISSING: "✗"}
            for finding in findings:
                typer.echo(f"{marks[finding.verdict]} {finding.name:<15} {finding.text}")
                if finding.fix:
                    typer.echo(f"  {'':<15} → {finding.fix}")
    if broken:
        raise typer.Exit(1)


def _print_status(facts: Any, verdict: str) -> None:
    typer.echo(f"{facts['url']}   {verdict}")
    typer.echo(f"temporal   {facts['temporal_address']}   {facts['temporal_ui'] or 'no web page'}")
    typer.echo(f"data       {facts['data_dir']}")
    for name, pid in facts["pids"].items():
        typer.echo(f"{name:<10} {f'pid {pid}' if pid else 'not ours'}")

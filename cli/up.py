"""`berth up`: everything on this machine in the foreground. The work is done by `embedded.supervisor`."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.local_session import AsJson, DataDir, explained, settings_for


def up(
    data_dir: DataDir = None,
    port: Annotated[
        int | None,
        typer.Option("--port", min=1, max=65535, help="Port of the API; otherwise a free one from 8000."),
    ] = None,
    timeout: Annotated[float, typer.Option("--timeout", min=1, help="Seconds to become ready in.")] = 60.0,
    as_json: AsJson = False,
) -> None:
    """Run Berth on this machine: embedded PostgreSQL and Temporal, worker, API with UI. Ctrl-C stops it."""
    with explained(as_json):
        from embedded import supervisor
        from embedded.report import Report

        settings = settings_for(data_dir)
        options = supervisor.Options(settings.data_dir, port, timeout)
        supervisor.up(settings, options, Report(as_json))


def register(app: typer.Typer, panel: str) -> None:
    app.command("up", rich_help_panel=panel)(up)

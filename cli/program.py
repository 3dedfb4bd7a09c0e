"""The program: every group of commands under one name. Imported by `cli.main` once it is really needed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from cli import local
from cli.commands import (
    access,
    acting,
    catalog,
    changing,
    connecting,
    feeds,
    fleet,
    holds,
    hosts,
    looking,
    making,
    operations,
    orphans,
    projects,
    secrets,
    tracing,
    webhooks,
)
from cli.version import print_version

EPILOG = (
    "Exit codes: 0 ok · 1 operation failed · 2 usage · 3 not allowed in · 4 not found · 5 conflict · "
    "6 unavailable · 10 plan has changes · 124 wait timed out, the operation continues · "
    "130 interrupted · 141 the reader of a pipe left"
)

app = typer.Typer(
    no_args_is_help=True,
    epilog=EPILOG,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
)


@app.callback()
def berth(
    data_dir: Annotated[
        Path | None,
        typer.Option("--data-dir", help="Which Berth of this machine; every command takes it too."),
    ] = None,
    no_color: Annotated[bool, typer.Option("--no-color", help="As NO_COLOR=1.")] = False,
    version: Annotated[  # noqa: ARG001 - answered by its callback
        bool, typer.Option("--version", callback=print_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Create, change and delete database servers and web applications, durably."""
    if no_color:
        os.environ["NO_COLOR"] = "1"
    if data_dir is not None:
        # For all commands alike, those that start Berth included: the flag beats the environment.
        os.environ["BERTH_DATA_DIR"] = str(data_dir)
        os.environ.pop("BERTH_URL", None)
        os.environ.pop("BERTH_TOKEN", None)


app.add_typer(local.local_app)

GROUPS = (
    making,
    looking,
    acting,
    holds,
    changing,
    operations,
    tracing,
    webhooks,
    feeds,
    connecting,
    secrets,
    fleet,
    hosts,
    orphans,
    catalog,
    access,
    projects,
)
for group in GROUPS:
    app.add_typer(group.app)

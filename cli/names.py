"""Shell completion of names: asks the API, and stays silent when it cannot."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import typer

COMPLETION_SECONDS = 2.0


def listed(context: typer.Context, path: str, key: str, incomplete: str) -> list[str]:
    """What a shell offers: values of `key` in a list of the API; nothing when Berth does not answer at once."""
    from cli.calls import Call, at
    from cli.client import Client
    from cli.errors import CliError
    from cli.target import find_target

    try:
        project = context.params.get("project") or os.environ.get("BERTH_PROJECT")
        headers = {"Berth-Project": at(project).strip("/")} if project else {}
        client = Client(find_target(_data_dir(context)), headers=headers)
        call = Call("GET", path, params={"page_size": 200}, read_seconds=COMPLETION_SECONDS, patience=0)
        items: list[dict[str, Any]] = client.send(call).body.get("items") or []
    except CliError:
        return []
    return [str(i[key]) for i in items if str(i.get(key, "")).startswith(incomplete)]


def _data_dir(context: typer.Context) -> Path | None:
    """The flag, wherever on the line it stands; nothing was executed yet when a shell completes."""
    given = context.params.get("data_dir") or (context.parent and context.parent.params.get("data_dir"))
    return Path(given) if given else None


def complete_instance(context: typer.Context, incomplete: str) -> list[str]:
    """Names of what lives."""
    return listed(context, "/instances", "name", incomplete)


def complete_operation(context: typer.Context, incomplete: str) -> list[str]:
    """Names of instances, or ids of operations once `op_` was typed."""
    if incomplete.startswith("op_"):
        return listed(context, "/operations", "id", incomplete)
    return complete_instance(context, incomplete)


def complete_provider(context: typer.Context, incomplete: str) -> list[str]:
    """Names of providers."""
    return listed(context, "/providers", "name", incomplete)


def complete_blueprint(context: typer.Context, incomplete: str) -> list[str]:
    """Names of blueprints."""
    return listed(context, "/blueprints", "name", incomplete)


Name = Annotated[str, typer.Argument(metavar="NAME", help="Name or id.", autocompletion=complete_instance)]
OptionalName = Annotated[
    str | None, typer.Argument(metavar="[NAME]", help="Name or id.", autocompletion=complete_instance)
]
Target = Annotated[
    str,
    typer.Argument(metavar="NAME|OP", help="An instance, or an operation op_…", autocompletion=complete_operation),
]
Provider = Annotated[
    str, typer.Option("--provider", help="Where it runs: berth providers.", autocompletion=complete_provider)
]
Blueprint = Annotated[
    str, typer.Option("--blueprint", "-b", help="What runs: berth blueprints.", autocompletion=complete_blueprint)
]

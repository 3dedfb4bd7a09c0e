"""Commands that show what there is to choose from: blueprints with their parameters, the table of moves."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from cli import names
from cli.calls import at
from cli.lists import Column, show
from cli.screen import Format
from cli.session import Session, reads

app = typer.Typer()
PANEL = "Fleet"


def _params_of(blueprint: Mapping[str, Any]) -> list[str]:
    return list((blueprint.get("params_schema") or {}).get("properties") or ())


def _allowed(schema: Mapping[str, Any]) -> str:
    """A short form of a JSON schema: its choices, its bounds, or its type."""
    options = [schema, *(schema.get("anyOf") or ())]
    for option in options:
        if option.get("enum"):
            return ", ".join(map(str, option["enum"]))
        if "minimum" in option or "maximum" in option:
            return f"{option.get('minimum', '')}…{option.get('maximum', '')}"
    return next((str(option["type"]) for option in options if option.get("type")), "")


_BLUEPRINTS = (
    Column("NAME", "name"),
    Column("TITLE", "title"),
    Column("PROVIDERS", lambda b: ", ".join(map(str, b.get("providers") or ()))),
    Column("MEMBERS", "max_members", wide=True),
    Column("PARAMS", lambda b: ", ".join(_params_of(b)), wide=True),
)
_PARAMETERS = (
    Column("PARAMETER", "name"),
    Column("DEFAULT", lambda p: json.dumps(p["default"]) if p.get("default") is not None else ""),
    Column("ALLOWED", _allowed),
    Column("WHAT IT IS", lambda p: f"{p.get('description') or ''}"),
)


@app.command("blueprints", rich_help_panel=PANEL)
@reads
def blueprints(
    session: Session,
    name: Annotated[
        str | None, typer.Argument(metavar="[BLUEPRINT]", autocompletion=names.complete_blueprint)
    ] = None,
) -> None:
    """List what can run, or the parameters that one blueprint takes with --set."""
    if name is None:
        show(session, session.client.get("/blueprints").body, _BLUEPRINTS)
        session.screen.next(
            session.berth("blueprints BLUEPRINT"), session.berth("create NAME --blueprint BLUEPRINT")
        )
        return
    blueprint = session.client.get(at("blueprints", name)).body
    if session.screen.format in (Format.JSON, Format.YAML):
        session.screen.document(blueprint)
        return
    properties = (blueprint.get("params_schema") or {}).get("properties") or {}
    rows = [{"name": key, **schema} for key, schema in properties.items()]
    show(session, {"items": rows}, _PARAMETERS)


@app.command("lifecycle", rich_help_panel=PANEL)
@reads
def lifecycle(session: Session) -> None:
    """Show the table of moves: what is legal from which status."""
    answer = session.client.get("/lifecycle").body
    columns = (
        Column("OPERATION", "operation"),
        Column("LEGAL FROM", lambda m: ", ".join(m.get("legal_from") or ())),
        Column("WHILE IT RUNS", "during"),
        Column("IF IT WORKS", "done"),
        Column("IF IT FAILS", "failed"),
        Column("IF CANCELLED", "cancelled", wide=True),
        Column("WHO", "actor", wide=True),
    )
    if session.screen.format in (Format.JSON, Format.YAML):
        session.screen.document(answer)
    else:
        show(session, {"items": answer["moves"]}, columns, name="operation")

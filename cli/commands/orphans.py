"""`berth orphans`: what providers hold that no instance stands for, and the sweep that takes it away."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from cli import names, text
from cli.commands.acting import Yes
from cli.errors import CliError, ExitCode, UsageProblem
from cli.lists import Column, show, since
from cli.session import Session, reads

app = typer.Typer()
PANEL = "Fleet"
_SECONDS = 90.0
"""A sweep waits for places that are slow to end things; each has a minute."""

_MOST = 500
"""How many one request may name."""

_COLUMNS = (
    Column("PROVIDER", "provider"),
    Column("OBJECT", "provider_id"),
    Column("STATE", "state"),
    Column("NAME", "name"),
    Column("WHY", "why"),
    Column("SWEEP", "outcome"),
    Column("REASON", "reason"),
    Column("INSTANCE", "instance_id", wide=True),
    Column("GENERATION", "generation", wide=True),
    Column("ENDED", since("ended_at"), wide=True),
    Column("HOST", "host_id", wide=True),
)
Report = Mapping[str, Any]


@app.command("orphans", rich_help_panel=PANEL)
@reads
def orphans(
    session: Session,
    ids: Annotated[
        list[str] | None,
        typer.Argument(metavar="[OBJECT]...", help="With --remove: these only, and unknown ones too."),
    ] = None,
    provider: Annotated[
        str | None, typer.Option("--provider", help="Ask this one only.", autocompletion=names.complete_provider)
    ] = None,
    remove: Annotated[
        bool, typer.Option("--remove", help="Remove those of finished lives, or those that are named.")
    ] = False,
    yes: Yes = False,
) -> int:
    """List objects that belong to no living instance; --remove takes away what may go."""
    if ids and not remove:
        raise UsageProblem("Objects are named to be removed.", detail="Add --remove, or name none.")
    wanted = {"provider": provider, **({"ids": ids} if ids else {})}
    report = _sweep(session, wanted, dry_run=True)
    if not remove:
        _print(session, report)
        if _these(report, "remove"):
            session.screen.next(session.berth("orphans --remove"))
        return ExitCode.OK
    going = _going(session, report, ids or [])
    if not going:
        _print(session, report)
        return _ended(session, report, wanted)
    _confirm(session, going, yes)
    meant = [item["provider_id"] for item in going]
    done = _sweep(session, {**wanted, "ids": meant}, dry_run=False)
    _print(session, done)
    stayed = [item for item in _these(done, "kept") if item["provider_id"] in meant]
    return ExitCode.FAILED if stayed or _these(done, "failed") else _ended(session, done, wanted)


def _ended(session: Session, report: Report, wanted: Report) -> ExitCode:
    """A sweep of everything is not done where a place was not asked. What nobody set up holds nothing."""
    unasked = report.get("unasked") or ()
    if not unasked or wanted.get("ids"):
        return ExitCode.OK
    if wanted["provider"] or any(place["host_id"] for place in unasked):
        return ExitCode.FAILED
    rows = session.client.get("/providers").body["items"]
    set_up = {row["name"] for row in rows if row["configured"]}
    return ExitCode.FAILED if set_up & {place["provider"] for place in unasked} else ExitCode.OK


def _sweep(session: Session, wanted: Report, *, dry_run: bool) -> Report:
    body = {**{key: value for key, value in wanted.items() if value}, "dry_run": dry_run}
    return session.client.post("/orphans:sweep", body, read_seconds=_SECONDS).body


def _print(session: Session, report: Report) -> None:
    show(session, report, _COLUMNS, name="provider_id")
    for place in report.get("unasked") or ():
        where = " of ".join(str(place[key]) for key in ("provider", "host_id") if place.get(key))
        session.screen.note(f"not asked: {where}: {text.clean(place['reason'])}")


def _these(report: Report, outcome: str) -> list[dict[str, Any]]:
    return [item for item in report["items"] if item["outcome"] == outcome]


def _going(session: Session, report: Report, ids: list[str]) -> list[dict[str, Any]]:
    """What the sweep will remove. A name that will not go is a reason to do nothing at all."""
    if report["missing"]:
        raise CliError(
            f"No provider that answers has {', '.join(report['missing'])} without an instance.",
            code=ExitCode.NOT_FOUND,
            hints=(session.berth("orphans"),),
        )
    kept = [item for item in _these(report, "keep") if item["provider_id"] in ids]
    if kept:
        raise CliError(
            f"{kept[0]['provider_id']} is not swept; nothing was done.",
            code=ExitCode.CONFLICT,
            detail=f"{kept[0]['why']}: {kept[0]['reason']}",
        )
    going = _these(report, "remove")
    if len(going) > _MOST:
        session.screen.note(f"{len(going)} may go; these are the first {_MOST}. Sweep again for the rest.")
    return going[:_MOST]


def _confirm(session: Session, going: list[dict[str, Any]], yes: bool) -> None:
    if not session.screen.is_machine:
        session.screen.note(*(f"  {item['provider']} {item['provider_id']} ({item['why']})" for item in going))
    what = "this object" if len(going) == 1 else f"these {len(going)} objects"
    session.screen.confirm(f"Remove {what} with all data, for good?", yes)

"""Commands about what Berth works with: providers, inventory, stats, simulate."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from cli import names, text, values
from cli.calls import Answer, at
from cli.errors import ApiProblem, ExitCode, UsageProblem
from cli.figures import tables
from cli.lists import Column, show
from cli.screen import Format
from cli.session import Session, reads

app = typer.Typer()
PANEL = "Fleet"

_PROVIDERS = (
    Column("NAME", "name"),
    Column("AVAILABLE", lambda p: "yes" if p.get("available") else "no"),
    Column("WHY NOT", "reason"),
    Column("HOSTS", lambda p: ", ".join(p.get("hosts") or ())),
    Column("WHAT", "description", wide=True),
)
_OBJECTS = (
    Column("PROVIDER", "provider"),
    Column("OBJECT", "provider_id"),
    Column("STATE", "state"),
    Column("OWNED", lambda o: "yes" if o.get("owned") else "no"),
    Column("INSTANCE", "instance_id"),
    Column("GENERATION", "generation"),
    Column("ENDPOINT", "endpoint"),
    Column("PID", "pid", wide=True),
    Column("DATA", "data_dir", wide=True),
    Column("CALLS", lambda o: text.pairs_text(o.get("calls")), wide=True),
)

_FAULTS = (
    Column("INSTANCE", "instance"),
    Column("VERB", "verb"),
    Column("FAULT", lambda f: f.get("fault") or f.get("kind")),
    Column("TIMES", "times"),
    Column("SECONDS", "seconds"),
)
OptionalProvider = Annotated[
    str | None, typer.Argument(metavar="[PROVIDER]", autocompletion=names.complete_provider)
]


@app.command("providers", rich_help_panel=PANEL)
@reads
def providers(session: Session) -> None:
    """List where instances can run, and why not where they cannot."""
    show(session, session.client.get("/providers").body, _PROVIDERS)


@app.command("inventory", rich_help_panel=PANEL)
@reads
def inventory(session: Session, provider: OptionalProvider = None) -> None:
    """List what providers really hold, asked now."""
    show(session, {"items": _answers(session, provider)}, _OBJECTS, name="provider_id")


def _answers(session: Session, provider: str | None) -> list[dict[str, Any]]:
    """The inventory of one provider, or of all that answer; one that does not is named."""
    if provider:
        return _held_by(session, provider)
    found = []
    for entry in session.client.get("/providers").body["items"]:
        if not entry.get("available"):
            continue
        try:
            found += _held_by(session, entry["name"])
        except ApiProblem as problem:
            if problem.code is ExitCode.AUTH:
                raise
            session.screen.note(f"{entry['name']}: {text.clean(problem.title)} {text.clean(problem.detail)}")
    return found


def _held_by(session: Session, provider: str) -> list[dict[str, Any]]:
    answer = session.client.get(at("providers", provider, "inventory")).body
    return [{"provider": provider, **item} for item in answer.get("items") or ()]


@app.command("stats", rich_help_panel=PANEL)
@reads
def stats(session: Session) -> None:
    """Show counts by status, durations and failures."""
    figures = session.client.get("/admin/stats").body
    if session.screen.format in (Format.JSON, Format.YAML):
        session.screen.document(figures)
        return
    session.screen.lines(tables(figures, session.screen.colour))
    if figures.get("needs_you"):
        session.screen.next(session.berth("list --needs-you"))


@app.command("simulate", rich_help_panel=PANEL)
@reads
def simulate(
    session: Session,
    verb: Annotated[
        str | None, typer.Argument(help="create, start, stop, restart, modify, delete, observe.")
    ] = None,
    fault: Annotated[str | None, typer.Argument(help="error, hang, slow, gone, no_capacity …")] = None,
    instance: Annotated[str, typer.Option("--instance", help="One name, or * for all.")] = "*",
    times: Annotated[int | None, typer.Option("--times", help="How often; -1 for ever.")] = None,
    duration: Annotated[str | None, typer.Option("--seconds", metavar="TIME", help="For hang, slow.")] = None,
    clear: Annotated[bool, typer.Option("--clear", help="Take all faults away.")] = False,
) -> None:
    """Make the simulated provider misbehave, to see what Berth does; alone, list the faults that wait."""
    if clear:
        answer = session.client.delete("/providers/simulated/faults")
        _say(session, answer, "faults cleared")
        return
    if not verb:
        show(session, session.client.get("/providers/simulated/faults").body, _FAULTS, name="verb")
        return
    if not fault:
        raise UsageProblem("Name a verb and a fault, or --clear.", detail="Example: berth simulate stop error")
    seconds = values.seconds(duration) if duration else None
    body = values.without_empty(
        {"verb": verb, "fault": fault, "instance": instance, "times": times, "seconds": seconds}
    )
    _say(
        session, session.client.put("/providers/simulated/faults", body), f"{verb} will meet {fault} on {instance}"
    )


def _say(session: Session, answer: Answer, line: str) -> None:
    if session.screen.format in (Format.JSON, Format.YAML):
        session.screen.document(answer.body)
    else:
        session.screen.lines([line])
        session.screen.next(session.berth("simulate --clear"))

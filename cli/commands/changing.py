"""Commands that change the desired spec: modify, plan, apply. Each reads an ETag first and sends it back."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from cli import documents, names, plans
from cli.calls import Answer, at
from cli.commands.acting import Yes
from cli.commands.making import PANEL
from cli.errors import ApiProblem, CliError, ExitCode, UsageProblem
from cli.following import finish
from cli.screen import Format
from cli.session import Session, changes, reads
from cli.wishes import Wish, wishing

app = typer.Typer()
Record = dict[str, Any]
File = Annotated[
    str | None,
    typer.Option("-f", "--file", metavar="FILE", help="A document of `get -o yaml`; - is standard input."),
]


@app.command("modify", rich_help_panel=PANEL)
@changes
@wishing
def modify(session: Session, wish: Wish, name: names.Name) -> int:
    """Change parameters, resources, members or labels of what exists. --set KEY=null takes one away."""
    patch = _patch(wish)
    path, before = current(session, name)
    return finish(session, send(session, path, patch, before), name)


@app.command("plan", rich_help_panel=PANEL)
@reads
@wishing
def plan(
    session: Session,
    wish: Wish,
    name: Annotated[str | None, typer.Argument(autocompletion=names.complete_instance)] = None,
    file: File = None,
    detailed: Annotated[
        bool, typer.Option("--detailed-exitcode", help="Exit 0 for no change, 10 for changes.")
    ] = False,
) -> int:
    """Show what a change would do, before anything is touched."""
    if file:
        name, found, patch = _planned_document(session, file, name)
    elif name:
        patch = _patch(wish)
        found = session.client.get(at("deployments", name))
    else:
        raise UsageProblem("Name a deployment, or a document with -f.")
    what = _plan(session, name, patch, found)
    screen = session.screen
    if screen.format in (Format.JSON, Format.YAML):
        screen.document(what)
    else:
        screen.lines(plans.lines(name, what, colour=screen.colour))
    screen.next(session.berth(f"apply -f {file}" if file else f"modify {name} …"))
    return ExitCode.CHANGES if detailed and plans.is_change(what) else ExitCode.OK


@app.command("apply", rich_help_panel=PANEL)
@changes
def apply(session: Session, file: File = None, yes: Yes = False) -> int:
    """Make what a document describes, or change what exists into it. The plan is shown first."""
    if not file:
        raise UsageProblem("Name the document with -f FILE, or -f - for standard input.")
    name, found, body = _planned_document(session, file, None)
    screen = session.screen
    what = _plan(session, name, body, found)
    if not screen.is_machine:
        screen.note(*plans.lines(name, what, colour=screen.error_colour))
    against = plans.blockers(what)
    if against:
        raise CliError(f"{name} cannot be changed this way.", code=ExitCode.CONFLICT, detail="; ".join(against))
    if plans.is_change(what) and screen.can_ask:
        screen.confirm(f"Apply this to {name}?", yes)
    quoted = {**body, "plan_id": what["id"]}
    if found is None:
        return finish(session, session.client.post("/instances", quoted), name)
    return finish(session, send(session, at("deployments", name), quoted, found), name)


def _patch(wish: Wish) -> Record:
    patch = wish.body()
    if not patch:
        raise UsageProblem("Say what to change: --set, --cpu, --memory-mb, --disk-gb, --members, --label …")
    return patch


def _planned_document(session: Session, file: str, name: str | None) -> tuple[str, Answer | None, Record]:
    """The name, what exists (None: nothing), and the patch or the create body."""
    document = documents.load(file)
    if name and document["name"] != name:
        raise UsageProblem(f"{file} describes {document['name']}, not {name}.")
    name = str(document["name"])
    try:
        found = session.client.get(at("deployments", name))
    except ApiProblem as problem:
        if problem.code is not ExitCode.NOT_FOUND:
            raise
        return name, None, documents.create_body(document)
    return name, found, documents.changes(found.body, document)


def _plan(session: Session, name: str, body: Record, found: Answer | None) -> Record:
    path = at("deployments", name, "plan") if found else "/deployments:plan"
    return session.client.post(path, body).body


def current(session: Session, name: str) -> tuple[str, Answer]:
    """The deployment of that name, else the member of one."""
    try:
        return at("deployments", name), session.client.get(at("deployments", name))
    except ApiProblem as problem:
        if problem.code is not ExitCode.NOT_FOUND:
            raise
    return at("instances", name), session.client.get(at("instances", name))


def send(session: Session, path: str, patch: Record, before: Answer) -> Answer:
    """Change what is still as it was read `before`; else say what has changed meanwhile."""
    try:
        return session.client.patch(path, patch, before.etag)
    except ApiProblem as problem:
        if problem.status != 412:
            raise
        now = session.client.get(path).body
        raise CliError(
            f"{now.get('name')} changed while this command ran; nothing was done.",
            code=ExitCode.CONFLICT,
            detail="; ".join([problem.detail, *_differences(before.body, now)]),
            hints=("the same command again, if it still means what you want",),
        ) from None


def _differences(before: Record, now: Record) -> list[str]:
    old, new = documents.from_deployment(before), documents.from_deployment(now)
    keys = [k for k in {**old, **new} if old.get(k) != new.get(k)]
    return [f"{key}: {old.get(key)!r} → {new.get(key)!r}" for key in keys]

"""Commands that ask for one action on what exists: start, stop, restart, retry, delete, forget."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from cli import names, text
from cli.calls import at
from cli.errors import ApiProblem, ExitCode
from cli.following import finish
from cli.session import Session, changes

app = typer.Typer()
PANEL = "Change"

REASONS = ("manual", "emergency", "cleanup", "cost_optimization", "auto_switch")
Reason = Annotated[str | None, typer.Option("--reason", help=f"{', '.join(REASONS)}; recorded.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


def act(session: Session, name: str, action: str, reason: str | None, params: dict[str, Any] | None = None) -> int:
    body = {"action": action, **({"reason": reason} if reason else {}), **({"params": params} if params else {})}
    return finish(session, session.client.post(at("instances", name, "actions"), body), name)


@app.command("start", rich_help_panel=PANEL)
@changes
def start(session: Session, name: names.Name, reason: Reason = None) -> int:
    """Start a stopped instance."""
    return act(session, name, "start", reason)


@app.command("stop", rich_help_panel=PANEL)
@changes
def stop(
    session: Session,
    name: names.Name,
    reason: Reason = None,
    force: Annotated[
        bool, typer.Option("--force", help="For what is stuck: end what works on it, kill what will not end.")
    ] = False,
) -> int:
    """Stop a running instance; its data stays."""
    return act(session, name, "force_stop" if force else "stop", reason)


@app.command("restart", rich_help_panel=PANEL)
@changes
def restart(session: Session, name: names.Name, reason: Reason = None) -> int:
    """Stop and start again."""
    return act(session, name, "restart", reason)


@app.command("retry", rich_help_panel=PANEL)
@changes
def retry(session: Session, target: names.Target, reason: Reason = None) -> int:
    """Repeat the last failed operation of an instance, or the failed operation named."""
    if not target.startswith("op_"):
        return act(session, target, "retry", reason)
    return finish(session, session.client.post(at("operations", target, "retry")), target)


@app.command("delete", rich_help_panel=PANEL)
@changes
def delete(
    session: Session,
    name: names.Name,
    yes: Yes = False,
    force: Annotated[bool, typer.Option("--force", help="For what is stuck: end what works on it.")] = False,
) -> int:
    """Delete an instance, or all members of the deployment of that name, with data and secrets."""
    kind, members = _what_goes(session, name)
    consequence = f"This deletes {name} with its data and secrets, for good."
    if kind == "deployments":
        consequence = f"This deletes all {members} members of {name} with their data and secrets, for good."
    session.screen.confirm_by_name(name, consequence, yes)
    answer = session.client.delete(at(kind, name), {"force": "true" if force else None})
    if force:
        _say_unforced(session, answer.body.get("operation") or {})
    return finish(session, answer, name)


def _say_unforced(session: Session, operation: dict[str, Any]) -> None:
    """Force is for what is stuck; elsewhere it is an ordinary delete, and who asked should know."""
    if operation.get("forced") or operation.get("done"):
        return
    stuck = text.moment(operation.get("stuck_at"))
    when = f" --force counts from {stuck:%H:%M:%S} UTC, if it has not ended by then." if stuck else ""
    session.screen.note(f"Nothing here is stuck, so this is an ordinary delete.{when}")


def _what_goes(session: Session, name: str) -> tuple[str, int]:
    """A deployment of several is deleted whole; everything else is one instance."""
    try:
        deployment = session.client.get(at("deployments", name)).body
    except ApiProblem as problem:
        if problem.code is not ExitCode.NOT_FOUND:
            raise
        return "instances", 1
    members = len(deployment.get("instances") or ()) or int(deployment.get("members") or 1)
    return ("deployments", members) if members > 1 else ("instances", 1)


@app.command("forget", rich_help_panel=PANEL)
@changes
def forget(session: Session, name: names.Name, yes: Yes = False, reason: Reason = None) -> int:
    """Remove the record of an instance whose host or object is lost; nothing real is touched."""
    consequence = f"This removes the record of {name} without touching what may still run."
    session.screen.confirm_by_name(name, consequence, yes)
    return act(session, name, "forget", reason)

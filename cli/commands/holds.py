"""Commands that set something apart: suspend, maintenance, protection from deletion."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from cli import names, text, values
from cli.calls import Answer
from cli.commands.acting import PANEL, REASONS, Reason, Yes, act
from cli.commands.changing import current, send
from cli.errors import ApiProblem, ExitCode
from cli.following import finish
from cli.screen import Format
from cli.session import Session, changes

app = typer.Typer()
maintenance_app = typer.Typer(no_args_is_help=True, help="Take an instance out of Berth's care for a while.")

Why = Annotated[
    str | None, typer.Option("--reason", help="Why, in your words; recorded, and shown to those who look.")
]


def _told(reason: str | None) -> tuple[str | None, dict[str, Any]]:
    """One of the reasons that Berth counts by, or a note in words."""
    if reason is None or reason in REASONS:
        return reason, {}
    return None, {"note": reason}


@app.command("suspend", rich_help_panel=PANEL)
@changes
def suspend(
    session: Session,
    name: names.Name,
    reason: Why = None,
    delete_after: Annotated[
        str | None, typer.Option("--delete-after", metavar="TIME", help="Delete it for good after so long: 14d.")
    ] = None,
) -> int:
    """Stop it and hold it: nothing can start it before `berth unsuspend`. Data stays."""
    word, params = _told(reason)
    if delete_after:
        params["delete_after_days"] = values.days(delete_after)
    return act(session, name, "suspend", word, params)


@app.command("unsuspend", rich_help_panel=PANEL)
@changes
def unsuspend(session: Session, name: names.Name, reason: Reason = None) -> int:
    """Lift the hold; what ran before runs again. What billing holds, billing lifts."""
    return act(session, name, "unsuspend", reason)


@maintenance_app.command("on")
@changes
def maintenance_on(
    session: Session,
    name: names.Name,
    until: Annotated[
        str | None, typer.Option("--until", metavar="TIME", help="2h from now, or 2026-11-21T18:00:00Z.")
    ] = None,
    begins: Annotated[
        str | None, typer.Option("--from", metavar="TIME", help="Begin then instead of now: 8h, or a time.")
    ] = None,
    reason: Why = None,
) -> int:
    """Begin maintenance: monitors and restart policies leave the instance alone."""
    word, params = _told(reason)
    times = {"from": begins, "until": until}
    params |= {key: values.later(time).isoformat() for key, time in times.items() if time}
    return act(session, name, "maintenance_on", word, params)


@maintenance_app.command("off")
@changes
def maintenance_off(session: Session, name: names.Name, reason: Reason = None) -> int:
    """End maintenance, or call off what is planned; the status is what the provider shows now."""
    return act(session, name, "maintenance_off", reason)


app.add_typer(maintenance_app, name="maintenance", rich_help_panel=PANEL)


@app.command("protect", rich_help_panel=PANEL)
@changes
def protect(session: Session, name: names.Name) -> int:
    """Refuse to delete it, whoever asks, until `berth unprotect`."""
    path, before = current(session, name)
    return _protected(session, name, send(session, path, {"deletion_protection": True}, before), path)


@app.command("unprotect", rich_help_panel=PANEL)
@changes
def unprotect(session: Session, name: names.Name, yes: Yes = False) -> int:
    """Allow its deletion again; asks where a cancelled subscription only waits for that."""
    path, before = current(session, name)
    if before.body.get("subscription") == "cancelled":
        whole = before.body.get("deployment_name") or before.body.get("name")
        consequence = (
            f"Billing cancelled the subscription of {whole}; without protection Berth deletes it at once, "
            "with its data and secrets, for good."
        )
        session.screen.confirm_by_name(name, consequence, yes)
    return _protected(session, name, send(session, path, {"deletion_protection": False}, before), path)


def _protected(session: Session, name: str, answer: Answer, path: str) -> int:
    """Say how it stands now, as it is read once more."""
    screen = session.screen
    if screen.format is not Format.TABLE and screen.format is not Format.WIDE:
        return finish(session, answer, name)
    now = _record(session, path)
    if now.get("deletion_protection"):
        screen.lines([text.clean(f"{name} is protected from deletion")])
        screen.next(session.berth(f"unprotect {name}"))
    elif not now or now.get("subscription") == "cancelled":
        screen.lines([text.clean(f"{name} is no longer protected: its cancellation deletes it now")])
    else:
        screen.lines([text.clean(f"{name} may be deleted")])
        screen.next(session.berth(f"delete {name}"))
    return 0


def _record(session: Session, path: str) -> dict[str, Any]:
    """Empty where it is gone already."""
    try:
        return dict(session.client.get(path).body)
    except ApiProblem as problem:
        if problem.code is not ExitCode.NOT_FOUND:
            raise
        return {}

"""Commands about who may do what: whoami, tokens, audit."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import typer

from cli import text, values
from cli.calls import at
from cli.commands.acting import Yes
from cli.errors import CliError, ExitCode
from cli.lists import Column, show, since
from cli.screen import Format
from cli.session import Session, reads

app = typer.Typer()
tokens_app = typer.Typer(no_args_is_help=True, help="Tokens for programs.")
PANEL = "Access"


class AccessRole(StrEnum):
    """What a token may be."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"
    SERVICE = "service"


def _expiry(token: Any) -> str:
    ends = text.moment(token.get("expires_at"))
    return text.until(ends) if ends else "never"


_TOKENS = (
    Column("NAME", "name"),
    Column("ROLE", "role"),
    Column("PROJECT", "project"),
    Column("BEGINS WITH", "prefix"),
    Column("EXPIRES", _expiry),
    Column("LAST USED", since("last_used_at")),
    Column("MADE BY", "created_by"),
    Column("ID", "id"),
    Column("AGE", since("created_at"), wide=True),
)
_AUDIT = (
    Column("TIME", lambda e: str(e.get("time") or "")[:19].replace("T", " ")),
    Column("ACTOR", "actor"),
    Column("ROLE", "role"),
    Column("ACTION", "action"),
    Column("TARGET", "target"),
    Column("OUTCOME", "outcome"),
    Column("STATUS", "status"),
    Column("DETAIL", "detail"),
    Column("TRACE", "trace_id", wide=True),
)


@app.command("whoami", rich_help_panel=PANEL)
@reads
def whoami(session: Session) -> None:
    """Show who you are to Berth, and what you may do."""
    me = session.client.get("/me").body
    screen = session.screen
    if screen.format in (Format.JSON, Format.YAML):
        screen.document(me)
        return
    if screen.format is Format.NAME:
        screen.lines([text.clean(me.get("principal"))])
        return
    keys = ("principal", "kind", "role", "project", "expires_at")
    rows = [(key, me.get(key)) for key in keys]
    listed = [(key, ", ".join(map(str, me.get(key) or ()))) for key in ("projects", "rights")]
    screen.lines(text.fields([*rows, *listed, ("berth", session.target.url)], screen.colour))


@tokens_app.command("create")
@reads
def create_token(
    session: Session,
    name: Annotated[str, typer.Argument(metavar="NAME", help="What it is for; you will find it again by this.")],
    role: Annotated[AccessRole, typer.Option("--role", help="What it may do.")] = AccessRole.OPERATOR,
    expires: Annotated[str, typer.Option("--expires", metavar="TIME", help="After 12h, 30d …")] = "30d",
) -> None:
    """Make a token for the project. It is printed once, alone on standard output, and cannot be shown again."""
    body = {"name": name, "role": role.value, "expires_in_seconds": int(values.seconds(expires))}
    made = session.client.post("/tokens", body).body
    screen = session.screen
    if screen.format in (Format.JSON, Format.YAML):
        screen.document(made)
        return
    screen.lines([text.clean(made["token"])])
    screen.note(f"{name}: {made.get('role')} until {made.get('expires_at')}; this is the only time it is shown")
    screen.next(
        f"BERTH_URL={session.target.url} BERTH_TOKEN=… berth whoami", session.berth(f"tokens revoke {name}")
    )


@tokens_app.command("list")
@reads
def list_tokens(session: Session) -> None:
    """List tokens: what they may do, when they end, when they were used last."""
    show(session, session.client.everything("/tokens"), _TOKENS)
    session.screen.next(session.berth("tokens create NAME --role viewer"), session.berth("tokens revoke NAME"))


def _complete_token(context: typer.Context, incomplete: str) -> list[str]:
    from cli.names import listed

    return listed(context, "/tokens", "name", incomplete)


@tokens_app.command("revoke")
@reads
def revoke_token(
    session: Session,
    name: Annotated[str, typer.Argument(metavar="NAME|ID", help="Of the token.", autocompletion=_complete_token)],
    yes: Yes = False,
) -> None:
    """Make a token worthless at once, open sockets of it included."""
    token = _token(session, name)
    screen = session.screen
    screen.confirm(f"Revoke the {token.get('role')} token {token.get('name')} ({token['id']})?", yes)
    session.client.delete(at("tokens", str(token["id"])))
    if screen.format in (Format.JSON, Format.YAML):
        screen.document({"id": token["id"], "revoked": True})
    else:
        screen.lines([text.clean(f"{token.get('name')} revoked")])
        screen.next(session.berth("tokens list"))


def _token(session: Session, name: str) -> dict[str, Any]:
    """The one living token of that id or name."""
    found = [
        token
        for token in session.client.everything("/tokens")["items"]
        if name in (token["id"], token.get("name"))
    ]
    if len(found) == 1:
        return dict(found[0])
    if not found:
        raise CliError(
            f"There is no token {name!r}.", code=ExitCode.NOT_FOUND, hints=(session.berth("tokens list"),)
        )
    ids = ", ".join(str(token["id"]) for token in found)
    raise CliError(
        f"{len(found)} tokens are named {name!r}.", code=ExitCode.CONFLICT, detail=f"Name one by id: {ids}."
    )


app.add_typer(tokens_app, name="tokens", rich_help_panel=PANEL)


@app.command("audit", rich_help_panel=PANEL)
@reads
def audit(
    session: Session,
    actor: Annotated[str | None, typer.Option("--actor", help="Only what this one did.")] = None,
    action: Annotated[str | None, typer.Option("--action", help="Only this.")] = None,
    outcome: Annotated[str | None, typer.Option("--outcome", help="done, accepted, refused or failed.")] = None,
    since: Annotated[
        str | None, typer.Option("--since", metavar="TIME", help="10m, 2h, 3d, or 2026-11-21T14:00:00Z.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="How many.")] = 50,
) -> None:
    """Show who did what, and what was refused; newest first. For administrators."""
    begun = values.moment(since).isoformat() if since else None
    query = {"actor": actor, "action": action, "outcome": outcome, "since": begun, "project": session.project}
    show(session, session.client.everything("/audit", query, limit), _AUDIT, name="id")
    session.screen.next(session.berth("audit --outcome refused --since 1d"))

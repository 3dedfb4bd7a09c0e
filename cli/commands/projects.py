"""`berth projects`: what each project has and may have at once."""

from __future__ import annotations

import re
from typing import Annotated, Any

import typer

from cli import text
from cli.calls import at
from cli.errors import UsageProblem
from cli.lists import Column, show
from cli.screen import Format
from cli.session import Session, reads

app = typer.Typer()
projects_app = typer.Typer(invoke_without_command=True, help="What each project has, and may have at once.")
PANEL = "Access"
_KINDS = ("instances", "cpu", "memory_mb", "disk_gb", "unfinished_operations", "sockets")
_WORDS = {"none": -1, "default": None}
_NUMBER = re.compile(r"\d{1,12}(\.\d{1,6})?")


def _share(kind: str) -> Any:
    def cell(project: Any) -> str:
        has, most = ((project.get(part) or {}).get(kind) for part in ("used", "limits"))
        bound = "no limit" if most in (None, -1) else f"{most:g}"
        return bound if has is None else f"{has:g} of {bound}"

    return cell


_PROJECTS = (
    Column("PROJECT", "project"),
    *(Column(kind.upper().replace("_", " "), _share(kind)) for kind in _KINDS),
)


@projects_app.callback()
@reads
def projects(session: Session) -> None:
    """List projects with what each has and may have at once."""
    show(session, session.client.get("/projects").body, _PROJECTS, name="project")
    session.screen.next(session.berth("projects limit PROJECT instances=20"))


@projects_app.command("limit")
@reads
def limit(
    session: Session,
    target: Annotated[str, typer.Argument(metavar="PROJECT")],
    limits: Annotated[
        list[str], typer.Argument(metavar="KIND=N...", help=f"{', '.join(_KINDS)}; N is a number, or none.")
    ],
) -> None:
    """Bound what a project may have at once: N, none, or default as the installation says. The rest stays."""
    wanted = dict(_limit(word) for word in limits)
    done = session.client.patch(at("projects", target, "limits"), wanted).body
    if session.screen.format in (Format.JSON, Format.YAML):
        session.screen.document(done)
    else:
        session.screen.lines(
            text.fields(((kind, _words(done.get(kind))) for kind in _KINDS), session.screen.colour)
        )
        session.screen.next(session.berth("projects"))


def _limit(word: str) -> tuple[str, float | None]:
    kind, equals, most = word.partition("=")
    if kind not in _KINDS or not equals:
        raise UsageProblem(f"{word!r} is not KIND=N.", detail=f"KIND is one of: {', '.join(_KINDS)}.")
    if most in _WORDS:
        return kind, _WORDS[most]
    if not _NUMBER.fullmatch(most):
        raise UsageProblem(f"{most!r} is no number.", detail="Write a number, none, or default.")
    number = float(most)
    return kind, int(number) if number.is_integer() else number


def _words(most: Any) -> str:
    return "default" if most is None else "no limit" if most == -1 else f"{most:g}"


app.add_typer(projects_app, name="projects", rich_help_panel=PANEL)

"""The options that say how something should be, shared by create, modify and plan."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Concatenate, ParamSpec

import typer

from cli import values
from cli.session import Options, Session, with_signature

P = ParamSpec("P")

_OPTIONS: Options = {
    "settings": (
        Annotated[
            list[str] | None,
            typer.Option("--set", metavar="KEY=VALUE", help="A parameter; dotted keys, JSON or text. Repeatable."),
        ],
        None,
    ),
    "cpu": (Annotated[float | None, typer.Option("--cpu", min=0.01, help="Cores.")], None),
    "memory_mb": (Annotated[int | None, typer.Option("--memory-mb", min=1, help="Memory in MB.")], None),
    "disk_gb": (Annotated[int | None, typer.Option("--disk-gb", min=1, help="Disk in GB.")], None),
    "members": (Annotated[int | None, typer.Option("--members", min=1, help="How many instances.")], None),
    "labels": (
        Annotated[list[str] | None, typer.Option("--label", "-l", metavar="KEY=VALUE", help="Repeatable.")],
        None,
    ),
    "restart_policy": (
        Annotated[str | None, typer.Option("--restart-policy", help="never, on_failure or always.")],
        None,
    ),
}


@dataclass(frozen=True)
class Wish:
    """What was said on the command line, and nothing else."""

    settings: list[str] | None = None
    cpu: float | None = None
    memory_mb: int | None = None
    disk_gb: int | None = None
    members: int | None = None
    labels: list[str] | None = None
    restart_policy: str | None = None

    def body(self) -> dict[str, Any]:
        """The part of a request that it makes up: a create body's, or a merge patch."""
        limits: Mapping[str, Any] = {"cpu": self.cpu, "memory_mb": self.memory_mb, "disk_gb": self.disk_gb}
        return values.without_empty(
            {
                "params": values.settings_tree(self.settings or ()),
                "resources": values.without_empty(limits),
                "members": self.members,
                "labels": values.pairs(self.labels or (), "--label"),
                "restart_policy": self.restart_policy,
            }
        )


def wishing(command: Callable[Concatenate[Session, Wish, P], int]) -> Callable[..., int]:
    """Adds these options to a command and hands them over as one `Wish` behind the session."""

    def run(session: Session, **given: Any) -> int:
        wish = Wish(**{name: given.pop(name) for name in _OPTIONS})
        return command(session, wish, **given)  # type: ignore[call-arg]

    return with_signature(run, command, _OPTIONS, hidden="wish")

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


_FOR_LIFE: Options = {
    "database": (
        Annotated[
            str | None, typer.Option("--database", help="For what needs one: dedicated (default) or shared.")
        ],
        None,
    ),
    "launch_timeout": (
        Annotated[
            str | None,
            typer.Option("--launch-timeout", metavar="TIME", help="How long a launch may take: 90s, 10m."),
        ],
        None,
    ),
    "termination_timeout": (
        Annotated[
            str | None,
            typer.Option("--termination-timeout", metavar="TIME", help="How long a termination may take."),
        ],
        None,
    ),
    "protect": (
        Annotated[bool, typer.Option("--protect", help="Refuse to delete it until `berth unprotect`.")],
        False,
    ),
}


@dataclass(frozen=True)
class Birth:
    """What only `create` can say."""

    database: str | None = None
    launch_timeout: str | None = None
    termination_timeout: str | None = None
    protect: bool = False

    def body(self) -> dict[str, Any]:
        """The part of a create body that it makes up."""
        given = {"launch_seconds": self.launch_timeout, "termination_seconds": self.termination_timeout}
        return values.without_empty(
            {
                "database": {"mode": self.database} if self.database else None,
                "timeouts": {key: values.seconds(words) for key, words in given.items() if words},
                "deletion_protection": self.protect or None,
            }
        )


def wishing(command: Callable[Concatenate[Session, Wish, P], int]) -> Callable[..., int]:
    """Adds these options to a command and hands them over as one `Wish` behind the session."""
    return _gathering(command, Wish, _OPTIONS, "wish")


def bearing(command: Callable[Concatenate[Session, Wish, Birth, P], int]) -> Callable[..., int]:
    """Adds a create's own options too, handed over as `Wish` and `Birth`."""

    def both(session: Session, wish: Wish, **given: Any) -> int:
        birth = Birth(**{name: given.pop(name) for name in _FOR_LIFE})
        return command(session, wish, birth, **given)  # type: ignore[call-arg]

    return wishing(with_signature(both, command, _FOR_LIFE, hidden="birth"))


def _gathering(command: Callable[..., int], kind: type[Any], options: Options, hidden: str) -> Callable[..., int]:
    def run(session: Session, **given: Any) -> int:
        gathered = kind(**{name: given.pop(name) for name in options})
        return command(session, gathered, **given)

    return with_signature(run, command, options, hidden=hidden)

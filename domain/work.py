"""The facts that pass between activities, providers and blueprints. Frozen, standard library only.

`Work` is loaded by an activity from the operation id and handed to a provider's verb; it never travels through
Temporal, because it can hold secrets. `Outcome` and `Observation` come back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import PurePosixPath
from typing import Any, Protocol


@dataclass(frozen=True)
class Resources:
    """Limits of one instance. None: the provider's default."""

    cpu: float | None = None
    memory_mb: int | None = None
    disk_gb: int | None = None


class Secrets(dict[str, str]):
    """Secret values by name. Its repr shows the names only, so that no log can print a value."""

    def __repr__(self) -> str:
        return f"Secrets({', '.join(sorted(self))})"

    __str__ = __repr__


@dataclass(frozen=True)
class Identity:
    """What makes a real object ours: every object carries these, and a signature over them."""

    server_id: str
    project: str
    deployment_id: str
    instance_id: str
    generation: int
    signature: str


@dataclass(frozen=True)
class Home:
    """Where an instance of `process` lives. The instance's user can write below `data` and `run` only."""

    root: PurePosixPath
    data: PurePosixPath
    conf: PurePosixPath
    run: PurePosixPath
    log: PurePosixPath


@dataclass(frozen=True)
class Command:
    """A program of a runtime, its arguments, and what it reads on standard input. Never a shell."""

    program: str
    arguments: tuple[str, ...]
    stdin: str | None = field(default=None, repr=False)
    timeout_seconds: float = 60.0


@dataclass(frozen=True)
class ProcessRecipe:
    """How a blueprint runs as a plain process.

    `runtime` names what provides the programs: `postgresql-16`, `postgresql-18` or `python`.
    `files` are written below `Home.conf`, owned by root, readable by the instance.
    `initialise` runs once, in order, before the first start; a crash in the middle starts it afresh.
    `abort_signal` is tried after `stop_seconds` and before SIGKILL.
    `pid_file`, below `Home.data`, is removed by a clean end: left behind it tells a crash.
    `free_disk_mb` must be free before the first start.
    """

    runtime: str
    run: Command
    files: Mapping[str, str]
    initialise: tuple[Command, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    stop_signal: int = 15
    stop_seconds: float = 20.0
    reload_signal: int | None = None
    abort_signal: int | None = None
    pid_file: str | None = None
    free_disk_mb: int = 16


RecipeFactory = Callable[["Work", Home], ProcessRecipe]


@dataclass(frozen=True)
class Work:
    """All that a provider needs to act on one instance."""

    identity: Identity
    name: str
    blueprint: str
    params: Mapping[str, Any]
    resources: Resources
    port: int | None = None
    provider_id: str | None = None
    secrets: Secrets = field(default_factory=Secrets)
    recipe: RecipeFactory | None = None
    """The blueprint's recipe for `process`; other providers have their own forms."""

    @property
    def instance_id(self) -> str:
        """Shorthand: nearly every provider call is about this one id."""
        return self.identity.instance_id


@dataclass(frozen=True)
class Outcome:
    """What a verb achieved. `confirmed`: the provider itself has shown the end state."""

    confirmed: bool
    provider_state: str
    provider_id: str | None = None
    endpoint: str | None = None
    port: int | None = None
    note: str | None = None


class Seen(StrEnum):
    """What an observation says, in the words of the observation table."""

    UP = "up"
    TRANSIENT = "transient"
    DOWN = "down"
    CRASHED = "crashed"
    ABSENT = "absent"
    FOREIGN = "foreign"
    NO_EVIDENCE = "no_evidence"


@dataclass(frozen=True)
class Observation:
    """One direct look at the real object."""

    seen: Seen
    provider_state: str
    provider_id: str | None = None
    generation: int | None = None
    endpoint: str | None = None
    detail: str | None = None


@dataclass(frozen=True)
class InventoryItem:
    """One object that a provider holds, ours or not."""

    provider_id: str
    state: str
    owned: bool
    instance_id: str | None = None
    deployment_id: str | None = None
    generation: int | None = None
    endpoint: str | None = None
    pid: int | None = None
    data_dir: str | None = None
    calls: Mapping[str, int] | None = None


class Call(Protocol):
    """The activity's side of one provider call."""

    def guard(self) -> None:
        """Call directly before every mutating step. Raises `FenceLost` or `CallCancelled`."""

    def sleep(self, seconds: float) -> None:
        """Wait, waking early with `CallCancelled` when the operation is cancelled."""

    def progress(self, message: str) -> None:
        """Tell people what is happening now; never a secret."""

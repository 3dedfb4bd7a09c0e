"""The facts that pass between activities, providers and blueprints. Frozen, standard library only.

`Work` is loaded by an activity from the operation id and handed to a provider's verb; it never travels through
Temporal, because it can hold secrets. `Outcome` and `Observation` come back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import PurePosixPath
from typing import Any, Literal, Protocol

from domain.errors import ProviderError, ProviderErrorKind


class Form(StrEnum):
    """The ways in which something can be run. A blueprint has some of them, a provider takes one."""

    PROCESS = "process"
    CONTAINER = "container"
    MACHINE = "machine"


@dataclass(frozen=True)
class Resources:
    """Limits of one instance. None: the provider's default."""

    cpu: float | None = None
    memory_mb: int | None = None
    disk_gb: int | None = None


MASK = "••••••"
"""What stands where a secret was."""


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


@dataclass(frozen=True)
class HealthCheck:
    """How to see from outside that a container serves, on its `port`. `path` is for `http` only."""

    kind: Literal["http", "tcp"]
    path: str = "/"


@dataclass(frozen=True)
class ContainerRecipe:
    """How a blueprint runs as a container. The entrypoint is always the image's.

    `arguments` stand for the image's own. `secrets` are environment variables that no label, argument or log may
    show. `port` is the one it serves inside. `volumes`: name → mount path; they go with the instance.
    `user`: uid and gid to run as; None: the image's own (docker), or one that is not root (kubernetes).
    """

    image: str
    arguments: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    secrets: Secrets = field(default_factory=Secrets)
    port: int | None = None
    health: HealthCheck | None = None
    volumes: Mapping[str, PurePosixPath] = field(default_factory=dict)
    user: int | None = None
    stop_signal: int = 15
    stop_seconds: float = 20.0


@dataclass(frozen=True)
class MachineRecipe:
    """How a blueprint runs as a virtual machine. `zones` are tried in turn; none, or no image: as configured."""

    instance_type: str
    zones: tuple[str, ...] = ()
    image: str | None = None


class Recipes(Protocol):
    """A blueprint as providers see it: how it runs in each of its forms.

    A form that it does not have raises `ProviderError(INVALID)`; acceptance refuses such a pair before.
    """

    def process_recipe(self, work: Work, home: Home) -> ProcessRecipe:
        """As a plain process."""

    def container_recipe(self, work: Work) -> ContainerRecipe:
        """As a container."""

    def machine_recipe(self, work: Work) -> MachineRecipe:
        """As a virtual machine."""


@dataclass(frozen=True)
class DatabaseAccess:
    """The database that was allocated to an instance, as the instance itself reaches it."""

    host: str
    port: int
    name: str
    user: str
    password: str = field(repr=False)


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
    recipes: Recipes | None = None
    form: Form | None = None
    """How its provider runs things; None: it takes every blueprint, or nobody said."""
    database: DatabaseAccess | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    """The user's own. They may describe the object, never select it."""
    tried_before: bool = False
    """For a create: an earlier operation may have begun to make it, and what came of that may not show yet."""

    @property
    def instance_id(self) -> str:
        """Shorthand: nearly every provider call is about this one id."""
        return self.identity.instance_id

    def masked(self, text: str) -> str:
        """`text` without any of the instance's secrets: for what an instance or its provider has said."""
        allocated = [self.database.password] if self.database is not None else []
        for value in sorted(filter(None, [*self.secrets.values(), *allocated]), key=len, reverse=True):
            text = text.replace(value, MASK)
        return text

    @property
    def own_port(self) -> int:
        """The instance's port. Without one a client would ask its own default port, where a stranger listens."""
        if self.port is None:
            raise ProviderError(ProviderErrorKind.INVALID, f"{self.name} has no port")
        return self.port


@dataclass(frozen=True)
class Outcome:
    """What a verb achieved. `confirmed`: the provider itself has shown the end state."""

    confirmed: bool
    provider_state: str
    provider_id: str | None = None
    endpoint: str | None = None
    port: int | None = None
    note: str | None = None
    zone: str | None = None
    """The availability zone where it landed, where there are such."""


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
    """Why it is so, in words for people."""
    certain: bool = True
    """False: an absence that must be seen again after the provider's consistency window."""
    zone: str | None = None


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

    @property
    def attempt(self) -> int | None:
        """Of its step, from 1: a later one may follow a worker that died. None: not known, or no step."""

    def guard(self) -> None:
        """Call directly before every mutating step. Raises `FenceLost` or `CallCancelled`."""

    def sleep(self, seconds: float) -> None:
        """Wait, waking early with `CallCancelled` when the operation is cancelled."""

    def progress(self, message: str) -> None:
        """Tell people what is happening now; never a secret."""

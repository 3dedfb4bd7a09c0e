"""What a container is made of: from recipe and work to the SDK's arguments, and how a difference is noticed.

Isolation is the same for every container and nothing a user says can widen it: no capability, no new privileges,
no path or device or namespace of the host, ports on loopback, bounded logs, and never a restart by Docker itself.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import PurePosixPath
from typing import Any

from docker.types import LogConfig, Mount

from domain.errors import ProviderError, ProviderErrorKind
from domain.work import ContainerRecipe, Work
from providers.docker.labels import RECIPE, identity_labels, user_labels
from providers.docker.options import Options

_LEAST_MEMORY_MB = 6
_LEAST_CPU = 0.01
_LOGS = {"max-size": "10m", "max-file": "3"}


@dataclass(frozen=True)
class Limits:
    """As Docker counts; 0: none."""

    nano_cpus: int
    memory: int
    pids: int

    def as_update(self) -> dict[str, int]:
        """Memory and swap are one limit: an instance that may swap without bound has none."""
        swap = {"Memory": self.memory, "MemorySwap": self.memory} if self.memory else {}
        cpus = {"NanoCpus": self.nano_cpus} if self.nano_cpus else {}
        return {**cpus, **swap, "PidsLimit": self.pids}

    def drops(self, wanted: Limits) -> bool:
        """Whether `wanted` lacks a limit that this has: Docker cannot lift one from a container that exists."""
        return bool(self.nano_cpus and not wanted.nano_cpus) or bool(self.memory and not wanted.memory)


@dataclass(frozen=True)
class Shape:
    """All that a container of this work is to be."""

    work: Work
    recipe: ContainerRecipe
    limits: Limits
    options: Options

    @property
    def digest(self) -> str:
        """Of everything but limits, labels and the values of secrets, which the running object itself shows."""
        recipe = self.recipe
        parts = {
            **asdict(recipe),
            "environment": dict(recipe.environment),
            "secrets": sorted(recipe.secrets),
            "volumes": {name: str(path) for name, path in recipe.volumes.items()},
            "health": None,
            "host_port": self.work.port,
            "bind_address": self.options.bind_address,
        }
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]

    def matches(self, labels: Mapping[str, str], environment: frozenset[str]) -> bool:
        """Whether a container that exists was made from just this, with these secrets."""
        secrets = {f"{name}={value}" for name, value in self.recipe.secrets.items()}
        return labels.get(RECIPE) == self.digest and secrets <= environment

    @property
    def labels(self) -> dict[str, str]:
        return {**user_labels(self.work), **identity_labels(self.work), RECIPE: self.digest}


@dataclass(frozen=True)
class Parts:
    """What must be there before the container: image and network by id, volumes by mount path, disk limit."""

    image: str
    network: str
    volumes: Mapping[PurePosixPath, str] = field(default_factory=dict)
    disk_gb: int | None = None


def shape_of(work: Work, options: Options) -> Shape:
    """Raises `ProviderError(INVALID)` for what Docker would refuse."""
    if work.recipes is None:
        raise ProviderError(ProviderErrorKind.INVALID, f"blueprint {work.blueprint} does not run as a container")
    recipe = work.recipes.container_recipe(work)
    if recipe.port is not None and work.port is None:
        raise ProviderError(ProviderErrorKind.INVALID, f"{work.name} has no port of this host to be reached at")
    return Shape(work, recipe, limits_of(work, options), options)


def limits_of(work: Work, options: Options) -> Limits:
    cpu, memory = work.resources.cpu, work.resources.memory_mb
    if cpu is not None and cpu < _LEAST_CPU:
        raise _too_little(f"cpu is {cpu:g}", f"{_LEAST_CPU:g}")
    if memory is not None and memory < _LEAST_MEMORY_MB:
        raise _too_little(f"memory_mb is {memory}", f"{_LEAST_MEMORY_MB}")
    return Limits(round((cpu or 0) * 1e9), (memory or 0) << 20, options.pids_limit)


def creation(shape: Shape, parts: Parts) -> dict[str, Any]:
    """The SDK's arguments for the container itself. The environment is the only place of secrets."""
    recipe = shape.recipe
    return {
        "image": parts.image,
        "command": list(recipe.arguments) or None,
        "environment": {**recipe.environment, **recipe.secrets},
        "user": None if recipe.user is None else f"{recipe.user}:{recipe.user}",
        "ports": [recipe.port] if recipe.port is not None else None,
        "labels": shape.labels,
        "stop_signal": str(recipe.stop_signal),
        "stop_timeout": round(recipe.stop_seconds),
        "use_config_proxy": False,
    }


def host_options(shape: Shape, parts: Parts) -> dict[str, Any]:
    """The SDK's arguments for what the container gets of the host."""
    recipe, limits = shape.recipe, shape.limits
    ports = {} if recipe.port is None else {recipe.port: (shape.options.bind_address, shape.work.port)}
    return {
        "network_mode": parts.network,
        "port_bindings": ports,
        "mounts": [Mount(str(path), name, type="volume") for path, name in parts.volumes.items()],
        "nano_cpus": limits.nano_cpus or None,
        "mem_limit": limits.memory or None,
        "memswap_limit": limits.memory or None,
        "pids_limit": limits.pids,
        "storage_opt": {"size": f"{parts.disk_gb}G"} if parts.disk_gb else None,
        "restart_policy": {"Name": "no"},
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
        "privileged": False,
        "ipc_mode": "private",
        "cgroupns": "private",
        "log_config": LogConfig(type=LogConfig.types.JSON, config=dict(_LOGS)),
    }


def _too_little(what: str, least: str) -> ProviderError:
    return ProviderError(ProviderErrorKind.INVALID, f"{what}; Docker takes {least} or more")

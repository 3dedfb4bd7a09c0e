"""Every provider by its name: what the API must know without one, and how a worker makes those it serves."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from domain.errors import FieldError, InvalidInput
from domain.work import Identity
from providers.base import Provider, Timeouts
from providers.process import ProcessProvider
from providers.simulated import SimulatedProvider
from system.processes import is_supported


@dataclass(frozen=True)
class ProviderFacts:
    """What is known of a provider without making it. `on_host`: its instances live on one host's queue."""

    name: str
    title: str
    description: str
    probes: bool
    needs_port: bool
    on_host: bool
    local_only: bool
    timeouts: Timeouts


_ALL = (
    ProviderFacts(
        "process",
        "Processes",
        "Plain processes of this host, each project under its own OS user.",
        ProcessProvider.probes,
        ProcessProvider.needs_port,
        on_host=True,
        local_only=False,
        timeouts=ProcessProvider.timeouts,
    ),
    ProviderFacts(
        "simulated",
        "Simulated",
        "Rows of a file with scripted delays and faults, for development and tests.",
        SimulatedProvider.probes,
        SimulatedProvider.needs_port,
        on_host=False,
        local_only=True,
        timeouts=SimulatedProvider.timeouts,
    ),
)
PROVIDERS: Mapping[str, ProviderFacts] = MappingProxyType({facts.name: facts for facts in _ALL})


def provider_facts(name: str, pointer: str = "/provider") -> ProviderFacts:
    """What is known of the provider, or `InvalidInput` that lists those there are."""
    found = PROVIDERS.get(name)
    if found is None:
        raise InvalidInput(FieldError(pointer, f"no provider {name!r}; there are: {', '.join(PROVIDERS)}"))
    return found


def process_unavailable() -> str | None:
    """Why this machine cannot run instances as processes; None when it can."""
    return None if is_supported() else "it needs Linux with /proc and pidfds (kernel 5.3 or newer)"


def process_provider(
    *, root: Path, runtime_root: Path, server_id: str, host_id: str, verify: Callable[[Identity], bool]
) -> Provider:
    return ProcessProvider(
        root=root, runtime_root=runtime_root, server_id=server_id, host_id=host_id, verify=verify
    )


def simulated_provider(path: Path, server_id: str, verify: Callable[[Identity], bool]) -> SimulatedProvider:
    return SimulatedProvider(path, server_id, verify=verify)

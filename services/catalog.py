"""What this version offers: blueprints, and providers with the reason where one cannot be used."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from blueprints.base import Blueprint
from blueprints.registry import BLUEPRINTS
from domain.lifecycle import Operation


@dataclass(frozen=True)
class ProviderEntry:
    """One place where instances can live. `per_host`: it works on one host, named by the deployment."""

    name: str
    title: str
    description: str
    per_host: bool
    local_only: bool = False


PROVIDERS: dict[str, ProviderEntry] = {
    entry.name: entry
    for entry in (
        ProviderEntry(
            "process",
            "Process",
            "Plain operating-system processes of this machine. CPU, memory and disk limits are recorded, "
            "not enforced.",
            per_host=True,
        ),
        ProviderEntry(
            "simulated",
            "Simulated",
            "Nothing real: records with scripted delays and faults, to try things out.",
            per_host=False,
            local_only=True,
        ),
    )
}


def blueprints() -> list[Blueprint]:
    """All of them."""
    return list(BLUEPRINTS.values())


def blueprint(name: str) -> Blueprint | None:
    """The blueprint of that name."""
    return BLUEPRINTS.get(name)


@lru_cache
def offered(name: str) -> frozenset[Operation]:
    """The operations that a blueprint can do; of one that this version does not know, none."""
    known = BLUEPRINTS.get(name)
    return known.operations if known is not None else frozenset()


def provider_names(*, local_mode: bool) -> list[str]:
    """Providers that can be used here."""
    return [entry.name for entry in PROVIDERS.values() if local_mode or not entry.local_only]


def why_unavailable(entry: ProviderEntry, *, local_mode: bool) -> str | None:
    """What speaks against using a provider here."""
    return "exists in local mode only" if entry.local_only and not local_mode else None


def blueprint_form(known: Blueprint, *, local_mode: bool) -> dict[str, Any]:
    """A blueprint as programs outside see it."""
    return {
        "name": known.name,
        "title": known.title,
        "description": known.description,
        "providers": provider_names(local_mode=local_mode),
        "max_members": known.max_members,
        "operations": sorted(operation.value for operation in known.operations),
        "immutable": sorted(known.immutable()),
        "params_schema": known.parameters.model_json_schema(),
    }

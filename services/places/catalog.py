"""What this version offers: blueprints, and providers with the reason where one cannot be used."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from blueprints.base import Blueprint
from blueprints.registry import BLUEPRINTS
from domain.lifecycle import Operation
from providers.entry import ProviderEntry
from providers.registry import PROVIDERS


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


def provider_names(*, local_mode: bool, known: Blueprint | None = None) -> list[str]:
    """Providers that exist here, for one blueprint: those that can run it."""
    return [
        entry.name
        for entry in PROVIDERS.values()
        if (local_mode or not entry.local_only) and (known is None or runs(entry, known))
    ]


def runs(entry: ProviderEntry, known: Blueprint) -> bool:
    """Whether the provider has the form in which the blueprint can be run."""
    return entry.form is None or entry.form in known.forms


def why_unavailable(entry: ProviderEntry, *, local_mode: bool) -> str | None:
    """What speaks against using a provider here."""
    return "exists in local mode only" if entry.local_only and not local_mode else None


def blueprint_form(known: Blueprint, *, local_mode: bool) -> dict[str, Any]:
    """A blueprint as programs outside see it."""
    return {
        "name": known.name,
        "title": known.title,
        "description": known.description,
        "providers": provider_names(local_mode=local_mode, known=known),
        "forms": sorted(form.value for form in known.forms),
        "needs_database": known.needs_database,
        "secret_params": sorted(known.secret_params),
        "max_members": known.max_members,
        "operations": sorted(operation.value for operation in known.operations),
        "immutable": sorted(known.immutable()),
        "params_schema": known.parameters.model_json_schema(),
    }

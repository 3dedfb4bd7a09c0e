"""Every provider, one line each: what the API must know without opening one, and how a worker opens it.

A provider is a module of this package: a class with the verbs of `providers.base.Provider`, and an `ENTRY`.
docs/add-a-provider.md shows one.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType

from domain.lifecycle import Operation
from domain.limits import DEFAULT_BUDGET, Budget, overridden
from providers.entry import ProviderEntry

_MODULES = (
    "process",
    "docker",
    "kubernetes",
    "ec2",
    "simulated",
)

PROVIDERS: Mapping[str, ProviderEntry] = MappingProxyType(
    {name: import_module(f"providers.{name}").ENTRY for name in _MODULES}
)


def budget(provider: str, verb: Operation, timeouts: Mapping[str, float] | None = None) -> Budget:
    """What `verb` may take on `provider`; a deployment may override the totals of launch and termination."""
    entry = PROVIDERS.get(provider)
    known = entry.budgets.get(verb, DEFAULT_BUDGET) if entry is not None else DEFAULT_BUDGET
    return overridden(known, verb, timeouts)

"""Every provider, one line each: what the API must know without opening one, and how a worker opens it.

A provider is a class with the verbs of `providers.base.Provider` and an `ENTRY`; docs/add-a-provider.md shows one.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from domain.lifecycle import Operation
from domain.limits import DEFAULT_BUDGET, Budget, overridden
from providers.entry import ProviderEntry
from providers.process import ENTRY as PROCESS
from providers.simulated import ENTRY as SIMULATED

PROVIDERS: Mapping[str, ProviderEntry] = MappingProxyType(
    {
        entry.name: entry
        for entry in (
            PROCESS,
            SIMULATED,
        )
    }
)


def budget(provider: str, verb: Operation, timeouts: Mapping[str, float] | None = None) -> Budget:
    """What `verb` may take on `provider`; a deployment may override the totals of launch and termination."""
    entry = PROVIDERS.get(provider)
    known = entry.budgets.get(verb, DEFAULT_BUDGET) if entry is not None else DEFAULT_BUDGET
    return overridden(known, verb, timeouts)

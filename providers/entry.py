"""What a provider says of itself before it is opened. Imports no SDK: the API reads it too."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock

from domain.lifecycle import Operation
from domain.limits import Budget
from domain.work import Form, Identity
from providers.base import Provider

importing = Lock()
"""Held by an `open` while it imports its SDK: they share libraries, and of two threads that import one of these in
different orders the interpreter lets one see it half made, as an ImportError."""


class Unconfigured(Exception):
    """The provider cannot be used here; the text says in one sentence what to configure."""


@dataclass(frozen=True)
class Setup:
    """What a worker has for a provider.

    `options` are the `BERTH_<NAME>_*` variables, in lower case without that prefix. `verify` says whether a
    signature that was found somewhere is this installation's.
    """

    options: Mapping[str, str]
    data_dir: Path
    instance_root: Path
    server_id: str
    host_id: str
    verify: Callable[[Identity], bool]


@dataclass(frozen=True)
class ProviderEntry:
    """One place where instances can live.

    `form`: how it runs things; None: it takes every blueprint. `on_host`: its instances live on one host, and its
    calls go through that host's queue. `open` raises `Unconfigured`; it imports what it needs by itself, an SDK
    with `importing` held.
    """

    name: str
    title: str
    description: str
    form: Form | None
    on_host: bool
    open: Callable[[Setup], Provider] = field(repr=False)
    local_only: bool = False
    budgets: Mapping[Operation, Budget] = field(default_factory=dict)

"""What the activities that reach a provider are composed of. Built once by the worker."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from activities.shared_server import SharedServer
from activities.wakes import Wakes
from blueprints.base import Blueprint
from db.session import Database
from db.vault import Vault
from providers.base import Provider


@dataclass(frozen=True)
class Parts:
    """Records, keys, and the providers and blueprints that this worker serves."""

    database: Database
    vault: Vault
    server_id: str
    providers: Mapping[str, Provider]
    """Those that are configured here; asking for another one raises `ProviderError` with what to configure."""
    blueprints: Mapping[str, Blueprint]
    ports: Sequence[int]
    """Ports of this host that instances may get, in the order in which they are tried."""
    pool: ThreadPoolExecutor
    """Where blocking provider calls run."""
    polls: ThreadPoolExecutor
    """Where the looks of waiting confirmations run: commands never queue behind them."""
    wakes: Wakes
    shared: SharedServer | None = None
    """The database server that is configured for shared databases."""
    by_agent: bool = False
    """Whether this worker is an agent, with the providers' credentials, apart from the rest of Berth."""

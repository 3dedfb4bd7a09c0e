"""What the API is made of, built once by `api.app` and handed to every route."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import structlog
from sqlalchemy.exc import SQLAlchemyError

from api.asks import Asks
from api.bounds import BoundsNow
from api.exposition import RecordFamilies
from api.gate.rates import Rates
from api.gate.trail import Trail
from api.health import Readiness
from api.live.connections import Connections
from api.live.feed import Feed
from api.live.wakeups import Wakeups
from db.session import Database
from db.vault import Vault
from services.forms.validation import Rules
from services.requests.edits import Means
from services.views.deployments import DeploymentForms
from services.views.instances import InstanceForms
from services.views.operations import OperationForms
from settings import Settings

log = structlog.get_logger("api")
Counts = dict[str, int]


@dataclass
class Parts:
    """Shared by all requests."""

    settings: Settings
    database: Database
    vault: Vault
    rules: Rules
    instances: InstanceForms
    deployments: DeploymentForms
    operations: OperationForms
    wakeups: Wakeups
    feed: Feed
    asks: Asks
    counts: CountCache
    bounds: BoundsNow
    connections: Connections
    rates: Rates
    trail: Trail
    readiness: Readiness
    families: RecordFamilies

    @property
    def means(self) -> Means:
        """For changes of a spec."""
        return Means(self.rules, self.vault)


@dataclass
class CountCache:
    """Counts of many rows, at most a second old. Few rows are counted each time.

    From half a second on they are counted again in the background, so that under load nobody waits for it.
    """

    many: int = 5_000
    fresh_seconds: float = 0.5
    kept_seconds: float = 1.0
    _kept: dict[Hashable, tuple[float, Counts]] = field(default_factory=dict)
    _counting: set[Hashable] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _pool: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, thread_name_prefix="counts"))

    def get(self, key: Hashable, count: Callable[[], Counts]) -> Counts:
        """The counts of `key`; `count` is called now, later in the background, or not at all."""
        kept = self._kept.get(key)
        age = time.monotonic() - kept[0] if kept else self.kept_seconds
        if kept is None or age >= self.kept_seconds:
            return self._count(key, count)
        if age >= self.fresh_seconds and self._claim(key):
            self._pool.submit(self._count_quietly, key, count)
        return kept[1]

    def close(self) -> None:
        """Stop the background counting."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _claim(self, key: Hashable) -> bool:
        with self._lock:
            if key in self._counting:
                return False
            self._counting.add(key)
            return True

    def _count(self, key: Hashable, count: Callable[[], Counts]) -> Counts:
        begun = time.monotonic()
        counts = count()
        total = sum(number for name, number in counts.items() if name != "needs_you")
        with self._lock:
            self._kept = {k: v for k, v in self._kept.items() if begun - v[0] < self.kept_seconds}
            if total > self.many:
                self._kept[key] = (begun, counts)
        return counts

    def _count_quietly(self, key: Hashable, count: Callable[[], Counts]) -> None:
        try:
            self._count(key, count)
        except SQLAlchemyError as error:
            log.warning("counting failed", kind=type(error).__name__)
        finally:
            with self._lock:
                self._counting.discard(key)

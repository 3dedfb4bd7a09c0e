"""`/metrics`: what this process measures, what the records say of the whole, and whether its parts are there.

The records are asked at most every few seconds, however often and by however many it is scraped. Without them the
rest is still served: a scrape that fails would hide what is wrong.
"""

from __future__ import annotations

import json
import shutil
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import structlog
from prometheus_client import CollectorRegistry
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
)
from prometheus_client.core import Metric as Family
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from api.health import Check
from api.live.feed import Feed
from db.queries import measuring
from db.session import Database
from domain import metrics as m

log = structlog.get_logger("api")
_KEPT_SECONDS = 5.0
_MOST_MS = 3000
_SUM = "sum"


@dataclass
class RecordFamilies:
    """What the records say, at most some seconds old."""

    database: Database
    feed: Feed
    families: list[Family] = field(default_factory=list)
    at: float = 0.0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def get(self) -> list[Family]:
        """The families; none while the records do not answer."""
        if not self.lock.acquire(timeout=_MOST_MS / 1000):  # who reads now waits for a server that is frozen
            return []
        try:
            if time.monotonic() - self.at > _KEPT_SECONDS:
                self.families = _read(self.database, self.feed.tail)
                self.at = time.monotonic()
            return self.families
        finally:
            self.lock.release()


class _Fixed(Collector):
    def __init__(self, families: Iterable[Family]) -> None:
        self._families = families

    def collect(self) -> Iterable[Family]:
        return self._families


def exposition(
    recorded: Iterable[Family], data_dir: Path, own: CollectorRegistry, checks: Iterable[Check], accept: str
) -> tuple[bytes, str]:
    """The text, in the form that the scraper prefers, and its content type."""
    encoder, content_type = choose_encoder(accept)
    whole = CollectorRegistry()
    whole.register(_Fixed([*own.collect(), *recorded, *_here(data_dir, checks)]))
    return encoder(whole), content_type


def _here(data_dir: Path, checks: Iterable[Check]) -> Iterator[Family]:
    ready = GaugeMetricFamily(m.READY.name, m.READY.help, labels=m.READY.labels)
    for check in checks:
        ready.add_metric([check.name], float(check.ok))
    yield ready
    disk = shutil.disk_usage(data_dir)
    yield GaugeMetricFamily(m.DISK_FREE.name, m.DISK_FREE.help, disk.free / disk.total)
    yield GaugeMetricFamily(m.DISK_BYTES.name, m.DISK_BYTES.help, disk.free)


def _read(database: Database, tail: int) -> list[Family]:
    try:
        with database.read() as session:
            session.execute(text(f"set local statement_timeout = {_MOST_MS}"))
            samples = measuring.samples(session)
            counters = measuring.counters(session)
            waiting, seconds = measuring.unread(session, tail)
    except SQLAlchemyError as error:
        log.warning("metrics without the records", kind=type(error).__name__)
        return []
    samples += [(m.FEED_LAG, (), waiting), (m.FEED_LAG_SECONDS, (), seconds)]
    return [*_plain(samples), *_lasting(counters)]


def _plain(samples: Iterable[measuring.Sample]) -> Iterator[Family]:
    """One family for each metric of the records, also where there is nothing to tell."""
    told: dict[str, list[tuple[tuple[str, ...], float]]] = {}
    for metric, labels, value in samples:
        told.setdefault(metric.name, []).append((labels, value))
    for metric in m.METRICS:
        folded = metric in (m.TRANSITIONS, m.CHANGES) or metric.kind is m.Kind.HISTOGRAM
        if folded or (metric.source is not m.From.RECORDS and metric.name not in told):
            continue
        shape = CounterMetricFamily if metric.kind is m.Kind.COUNTER else GaugeMetricFamily
        family = shape(metric.name, metric.help, labels=metric.labels)
        for labels, value in told.get(metric.name, ()):
            family.add_metric(labels, value)
        yield family


def _lasting(counters: dict[str, list[tuple[str, float]]]) -> Iterator[Family]:
    for metric in (m.TRANSITIONS, m.CHANGES):
        family = CounterMetricFamily(metric.name, metric.help, labels=metric.labels)
        for labels, value in counters.get(metric.name, ()):
            known = json.loads(labels)
            family.add_metric([known.get(label, "") for label in metric.labels], value)
        yield family
    for metric in (m.LAUNCH, m.TERMINATION):
        yield _histogram(metric, counters.get(metric.name, ()))


def _histogram(metric: m.Metric, rows: Iterable[tuple[str, float]]) -> Family:
    family = HistogramMetricFamily(metric.name, metric.help, labels=metric.labels)
    by_provider: dict[str, dict[str, float]] = {}
    for labels, value in rows:
        known = json.loads(labels)
        by_provider.setdefault(known["provider"], {})[known["le"]] = value
    for provider, found in by_provider.items():
        buckets, total = [], 0.0
        for bound in [*(f"{bound:g}" for bound in metric.buckets), "+Inf"]:
            total += found.get(bound, 0.0)
            buckets.append((str(float(bound)) if bound != "+Inf" else bound, total))
        family.add_metric([provider], buckets, found.get(_SUM, 0.0))
    return family

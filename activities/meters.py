"""What a worker measures of itself: activities and calls of providers, for its own `/metrics`.

What must outlive a process is folded from the records instead (`services.upkeep.ledger`).
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Histogram, PlatformCollector, ProcessCollector

from domain.errors import BerthError
from domain.metrics import ACTIVITY_SECONDS, PROVIDER_CALL_SECONDS, Metric
from system.tracing import span

REGISTRY = CollectorRegistry()
ProcessCollector(registry=REGISTRY)
PlatformCollector(registry=REGISTRY)


def _histogram(metric: Metric) -> Histogram:
    return Histogram(metric.name, metric.help, metric.labels, registry=REGISTRY, buckets=metric.buckets)


_CALLS = _histogram(PROVIDER_CALL_SECONDS)
_ACTIVITIES = _histogram(ACTIVITY_SECONDS)


@contextmanager
def provider_call(provider: str, verb: str, *, instance: str | None = None) -> Iterator[None]:
    """One call of a provider: a span of the operation's trace, and one more in the histogram."""
    begun, outcome = time.monotonic(), "ok"
    try:
        with span(f"{provider} {verb}", provider=provider, instance=instance):
            yield
    except BerthError as error:
        outcome = error.code
        raise
    except BaseException:
        outcome = "internal"
        raise
    finally:
        _CALLS.labels(provider, verb, outcome).observe(time.monotonic() - begun)


@contextmanager
def activity_run(name: str) -> Iterator[None]:
    """One attempt of one activity."""
    begun, outcome = time.monotonic(), "ok"
    try:
        yield
    except BaseException:
        outcome = "failed"
        raise
    finally:
        _ACTIVITIES.labels(name, outcome).observe(time.monotonic() - begun)

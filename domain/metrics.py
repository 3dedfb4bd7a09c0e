"""Every metric that Berth serves: name, kind, labels, meaning. The exporters, the docs and the tests read this.

No label names an instance, a deployment, an operation or a user: their number would have no bound.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """Prometheus' own words."""

    GAUGE = "gauge"
    COUNTER = "counter"
    HISTOGRAM = "histogram"


class From(StrEnum):
    """Where it is served, and what it survives."""

    RECORDS = "API, from the records"
    API = "API, of this process"
    WORKER = "worker, of this process"


LIFE_BUCKETS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1200, 3600)
CALL_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


@dataclass(frozen=True)
class Metric:
    """One family. A counter's name is without `_total`, which the exposition adds."""

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    source: From = From.RECORDS
    buckets: tuple[float, ...] = ()


LAUNCH = Metric(
    "launch_duration",
    Kind.HISTOGRAM,
    "Seconds from the request of a launch to its confirmation.",
    ("provider",),
    buckets=LIFE_BUCKETS,
)
TERMINATION = Metric(
    "termination_duration",
    Kind.HISTOGRAM,
    "Seconds from the request of a termination to its confirmation.",
    ("provider",),
    buckets=LIFE_BUCKETS,
)
LAUNCH_TIMEOUT_RATE = Metric(
    "launch_timeout_rate",
    Kind.GAUGE,
    "Share of the launches ended in the last 15 minutes that timed out, 0 to 1.",
    ("provider",),
)
TERMINATION_TIMEOUT_RATE = Metric(
    "termination_timeout_rate",
    Kind.GAUGE,
    "Share of the terminations ended in the last 15 minutes that timed out, 0 to 1.",
    ("provider",),
)
TRANSITION_RATE = Metric(
    "state_transition_rate", Kind.GAUGE, "Changes of an instance's status per second, over the last minute."
)
SOCKETS = Metric("websocket_connections_active", Kind.GAUGE, "Open WebSockets of this API process.", (), From.API)

TRANSITIONS = Metric(
    "berth_transitions", Kind.COUNTER, "Changes of an instance's status.", ("provider", "from", "to")
)
CHANGES = Metric(
    "berth_changes",
    Kind.COUNTER,
    "Instances with which an operation has ended; `cause` says who can help: user, provider or berth.",
    ("operation", "provider", "outcome", "cause"),
)
INSTANCES = Metric("berth_instances", Kind.GAUGE, "Living instances.", ("status", "provider"))
PENDING = Metric(
    "berth_operations_pending", Kind.GAUGE, "Depth of the queue: accepted, not begun.", ("kind", "provider")
)
PENDING_OLDEST = Metric(
    "berth_operations_pending_oldest_seconds", Kind.GAUGE, "Age of the oldest operation not begun.", ("provider",)
)
RUNNING = Metric("berth_operations_running", Kind.GAUGE, "Operations under way.", ("kind", "provider"))
PARKED = Metric(
    "berth_operations_parked", Kind.GAUGE, "Failed operations that wait for a person's retry.", ("provider",)
)
STUCK = Metric("berth_operations_stuck", Kind.GAUGE, "Operations past their deadline.", ("kind", "provider"))
OLDEST = Metric(
    "berth_in_progress_oldest_seconds",
    Kind.GAUGE,
    "Longest time that an instance has been in this in-progress status; where its deployment has time-outs of its "
    "own, only past its deadline.",
    ("status", "provider", "host"),
)
ORPHANS = Metric(
    "berth_orphans", Kind.GAUGE, "Objects at a provider that no living instance stands for.", ("scope",)
)
OBSERVER_LAG = Metric(
    "berth_observer_lag_seconds", Kind.GAUGE, "Since the observer of a place last renewed its lease.", ("scope",)
)
OBSERVER_FULL = Metric(
    "berth_observer_full_seconds", Kind.GAUGE, "Since the last full comparison of a place.", ("scope",)
)
OBSERVER_STREAMING = Metric(
    "berth_observer_streaming", Kind.GAUGE, "1: the provider's own event stream is connected.", ("scope",)
)
KEEPER_LAG = Metric("berth_keeper_lag_seconds", Kind.GAUGE, "Since the keeper last looked at everything.")
LEDGER_LAG = Metric(
    "berth_ledger_lag_events", Kind.GAUGE, "Events not yet counted into the lasting counters, nor notified of."
)
EVENTS = Metric("berth_events_last", Kind.COUNTER, "Number of the newest event of the feed.")
AGENT_SILENT = Metric(
    "berth_agent_silent_seconds", Kind.GAUGE, "Since a worker last reported its providers.", ("agent", "provider")
)
WORKERS = Metric("berth_workers_live", Kind.GAUGE, "Workers that have reported within the last minute.")
HOST_SILENT = Metric("berth_host_silent_seconds", Kind.GAUGE, "Since a host was last seen.", ("host",))
PROVIDER_UP = Metric(
    "berth_provider_available", Kind.GAUGE, "1: a configured provider answers its worker.", ("provider", "agent")
)
NOTIFICATIONS = Metric("berth_notifications", Kind.GAUGE, "Outbound notifications by state.", ("state",))
NOTIFICATION_AGE = Metric(
    "berth_notification_oldest_seconds", Kind.GAUGE, "Age of the oldest notification not delivered yet."
)

READY = Metric("berth_ready", Kind.GAUGE, "1: this check of /readyz holds.", ("check",), From.API)
HTTP = Metric(
    "berth_http_request_seconds",
    Kind.HISTOGRAM,
    "Seconds per request, by route template, never by address.",
    ("method", "route", "status"),
    From.API,
    (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 30),
)
FEED_LAG = Metric(
    "berth_feed_lag_events", Kind.GAUGE, "Events that this API process has not passed on yet.", (), From.API
)
FEED_LAG_SECONDS = Metric(
    "berth_feed_lag_seconds", Kind.GAUGE, "Age of the oldest event that it has not passed on.", (), From.API
)
DISK_FREE = Metric(
    "berth_disk_free_ratio", Kind.GAUGE, "Free share of the disk below the data directory, 0 to 1.", (), From.API
)
DISK_BYTES = Metric(
    "berth_disk_free_bytes", Kind.GAUGE, "Free bytes of the disk below the data directory.", (), From.API
)
BUILD = Metric("berth_build_info", Kind.GAUGE, "Always 1; the label says which version.", ("version",), From.API)

PROVIDER_CALL_SECONDS = Metric(
    "berth_provider_call_seconds",
    Kind.HISTOGRAM,
    "Seconds per call of a provider.",
    ("provider", "verb", "outcome"),
    From.WORKER,
    CALL_BUCKETS,
)
ACTIVITY_SECONDS = Metric(
    "berth_activity_seconds",
    Kind.HISTOGRAM,
    "Seconds per attempt of an activity.",
    ("activity", "outcome"),
    From.WORKER,
    CALL_BUCKETS,
)

METRICS: tuple[Metric, ...] = tuple(value for value in dict(vars()).values() if isinstance(value, Metric))

USER_CODES = frozenset(
    {"invalid", "invalid-input", "not-found", "data-lost", "cancelled", "quota", "interrupted", "host-unavailable"}
)
"""Failures that the one who asked can mend: they page nobody."""
OWN_CODES = frozenset({"internal", "run-lost", "fence-lost", "attempt-over", "unavailable"})


def cause_of(code: str) -> str:
    """Who can help with a failure."""
    if code in USER_CODES:
        return "user"
    return "berth" if code in OWN_CODES else "provider"

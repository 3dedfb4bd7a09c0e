"""Figures for operators."""

from __future__ import annotations

from datetime import datetime

from api.schemas.base import Form


class Quantiles(Form):
    """Seconds; null without a single measurement."""

    p50: float | None
    p95: float | None
    p99: float | None


class CountedQuantiles(Quantiles):
    """With how many there were."""

    count: int


class FailureCount(Form):
    """Operations that failed in the last day."""

    kind: str
    provider: str
    code: str | None
    count: int


class StepFailureCount(Form):
    """The same, by the step that failed."""

    step: str | None
    provider: str
    count: int


class ProviderFigures(Form):
    """What lives there, and how long its latest launches and terminations took."""

    provider: str
    instances: int
    launch_seconds: CountedQuantiles
    termination_seconds: CountedQuantiles


class Queue(Form):
    """How much waits, runs, or needs somebody."""

    pending: int
    running: int
    slow: int
    stuck: int
    parked: int
    oldest_pending_seconds: float | None


class Hour(Form):
    """What happened in one of the last 24."""

    hour: datetime
    launches: int
    terminations: int
    failures: int
    transitions: int


class DeadLetter(Form):
    """A notification that was given up."""

    id: str
    type: str
    attempts: int
    created_at: datetime
    last_error: str | None


class Notifications(Form):
    """How the outbound ones stand."""

    pending: int
    dead: int
    dead_letters: list[DeadLetter]


class SocketFigures(Form):
    """The live feed of the process that answers."""

    open: int
    feed_lag_events: int
    feed_lag_seconds: float | None


class Statistics(Form):
    """Counts for every status, zeros included; durations; failures; what waits; the last 24 hours."""

    totals: dict[str, int]
    total: int
    by_status: dict[str, int]
    needs_you: int
    provisioning: dict[str, int]
    billing: dict[str, int]
    by_provider: dict[str, int]
    by_blueprint: dict[str, int]
    operations: dict[str, int]
    durations: dict[str, Quantiles]
    failures: list[FailureCount]
    providers: list[ProviderFigures]
    failures_by_step: list[StepFailureCount]
    queue: Queue
    hourly: list[Hour]
    notifications: Notifications
    loops: dict[str, float]
    sockets: SocketFigures

"""What shows a worker from outside: traces, its own metrics, those of Temporal's SDK. Called by `worker.py`."""

from __future__ import annotations

import structlog
from opentelemetry import trace
from prometheus_client import start_http_server
from temporalio.client import Interceptor
from temporalio.contrib.opentelemetry import TracingInterceptor
from temporalio.runtime import PrometheusConfig, Runtime, TelemetryConfig

from activities.meters import REGISTRY
from system.tracing import NAME

log = structlog.get_logger("worker")


def interceptors() -> list[Interceptor]:
    """For the client; its workers take them over. Temporal's own, replay-safe; only ids travel in its header."""
    return [TracingInterceptor(trace.get_tracer(NAME))]


def runtime(address: str) -> Runtime | None:
    """Serve the SDK's metrics at `address`; None: the default runtime, which serves none.

    An address in use is said, and lived with.
    """
    if not address:
        return None
    metrics = PrometheusConfig(bind_address=address, durations_as_seconds=True, counters_total_suffix=True)
    try:
        return Runtime(telemetry=TelemetryConfig(metrics=metrics))
    except ValueError as error:
        log.warning("metrics of temporal are not served", address=address, why=str(error))
        return None


def serve_metrics(address: str) -> None:
    """Serve this process's metrics from a thread of its own. An address in use is said, and lived with."""
    if not address:
        return
    host, _, port = address.rpartition(":")
    try:
        start_http_server(int(port), host.strip("[]"), REGISTRY)
    except OSError as error:
        log.warning("metrics are not served", address=address, why=error.strerror)

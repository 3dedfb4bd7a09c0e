"""Logs and traces of every Berth process. Called by the entry points alone.

Logs: one JSON object per line on standard error, or lines for people on a terminal; with the ids of trace,
operation and instance where there are any, and never a secret. Traces: to the records, and to a collector where
one is configured.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence

import structlog
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, ParentBased
from opentelemetry.trace import Status

from db.session import Database
from db.spans import RecordsExporter
from settings import Settings
from system.masking import masked
from system.tracing import ATTRIBUTES, ids

_QUEUE, _BATCH, _EVERY_MS, _EXPORT_MS = 4096, 256, 500, 5000
API = "api"
_JOINS_ONLY = ParentBased(ALWAYS_OFF)
_OWN = {"event", "level", "logger", "timestamp"}


def configure_logging(level: str, form: str = "auto") -> None:
    """Route structlog and the standard library's loggers into the same lines. `form`: auto, json or console."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _with_trace,
    ]
    console = form == "console" or (form == "auto" and sys.stderr.isatty())
    renderer: structlog.typing.Processor = structlog.processors.JSONRenderer()
    if console:
        renderer = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                _without_secrets,
                renderer,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )


def _with_trace(_logger: object, _method: str, line: structlog.typing.EventDict) -> structlog.typing.EventDict:
    for key, value in ids().items():
        line.setdefault(key, value)
    return line


def _without_secrets(
    _logger: object, _method: str, line: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    for key in [key for key in line if key not in _OWN or key == "event"]:
        if key != "exc_info":
            line[key] = masked({key: line[key]})[key]
    return line


class CleanExporter(SpanExporter):
    """`inner`, which sees of a span its name, its times and ids: no message of an error, no value of a user."""

    def __init__(self, inner: SpanExporter) -> None:
        self._inner = inner

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        return self._inner.export([_clean(span) for span in spans])

    def shutdown(self) -> None:
        self._inner.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._inner.force_flush(timeout_millis)


def _clean(span: ReadableSpan) -> ReadableSpan:
    return ReadableSpan(
        name=span.name,
        context=span.get_span_context(),
        parent=span.parent,
        resource=span.resource,
        attributes={key: value for key, value in (span.attributes or {}).items() if key in ATTRIBUTES},
        kind=span.kind,
        instrumentation_scope=span.instrumentation_scope,
        status=Status(span.status.status_code),
        start_time=span.start_time,
        end_time=span.end_time,
    )


def tracing(settings: Settings, database: Database, service: str) -> TracerProvider:
    """Where this process's spans go. Traces begin at the API; elsewhere what belongs to none is not recorded."""
    sampler = ParentBased(ALWAYS_ON, remote_parent_not_sampled=ALWAYS_ON) if service == API else _JOINS_ONLY
    provider = TracerProvider(resource=Resource.create({"service.name": f"berth-{service}"}), sampler=sampler)
    exporters: list[SpanExporter] = [RecordsExporter(database, service)]
    if settings.otlp_endpoint:
        exporters.append(
            OTLPSpanExporter(
                endpoint=f"{settings.otlp_endpoint.rstrip('/')}/v1/traces", timeout=_EXPORT_MS // 1000
            )
        )
    for exporter in exporters:
        provider.add_span_processor(
            BatchSpanProcessor(
                CleanExporter(exporter),
                max_queue_size=_QUEUE,
                max_export_batch_size=_BATCH,
                schedule_delay_millis=_EVERY_MS,
                export_timeout_millis=_EXPORT_MS,
            )
        )
    return provider

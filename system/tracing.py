"""The trace that the current code belongs to: where it comes from, how it is stored, how a part of it is measured.

Used by acceptance (which stores it), the keeper (which joins it again) and the guard around providers. Without a
tracer, as in a test, all of this does nothing.
"""

from __future__ import annotations

import contextvars
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from opentelemetry import context, trace
from opentelemetry.trace import Span, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

T = TypeVar("T")
NAME = "berth"
PROPAGATOR = TraceContextTextMapPropagator()
"""Trace ids alone travel: no baggage, which a stranger could fill."""

ATTRIBUTES = frozenset(
    {
        "berth.operation",
        "berth.kind",
        "berth.instance",
        "berth.deployment",
        "berth.provider",
        "http.request.method",
        "http.response.status_code",
        "http.route",
        "error.type",
        "temporalActivityID",
        "temporalActivityType",
        "temporalRunID",
        "temporalWorkflowID",
    }
)
"""What a span may tell beside its name and times: ids and kinds, never what a user or an instance has said."""


def traceparent() -> str | None:
    """The current span in W3C's form, to be stored or sent on; None outside any."""
    carrier: dict[str, str] = {}
    PROPAGATOR.inject(carrier)
    return carrier.get("traceparent")


def ids_in(stored: str | None) -> tuple[str | None, str | None]:
    """The ids of trace and span in a stored `traceparent`."""
    parts = (stored or "").split("-")
    return (parts[1], parts[2]) if len(parts) == 4 and len(parts[1]) == 32 else (None, None)


@contextmanager
def joined(stored: str | None) -> Iterator[None]:
    """Code inside belongs to the trace of a stored `traceparent`."""
    token = context.attach(PROPAGATOR.extract({"traceparent": stored} if stored else {}, context.Context()))
    try:
        yield
    finally:
        context.detach(token)


@contextmanager
def span(name: str, **attributes: str | None) -> Iterator[Span | None]:
    """A span below the current one; none where there is no trace. Keywords are `berth.<keyword>`.

    An error marks it with its type alone: messages may quote what an instance has printed.
    """
    if not trace.get_current_span().get_span_context().is_valid:
        yield None
        return
    known = {f"berth.{key}": value for key, value in attributes.items() if value is not None}
    tracer = trace.get_tracer(NAME)
    with tracer.start_as_current_span(
        name, attributes=known, record_exception=False, set_status_on_exception=False
    ) as made:
        try:
            yield made
        except BaseException as error:
            failed(made, type(error).__name__)
            raise


def failed(made: Span, kind: str) -> None:
    """Mark a span as failed."""
    made.set_attribute("error.type", kind)
    made.set_status(Status(StatusCode.ERROR))


def in_context(work: Callable[[], T]) -> Callable[[], T]:
    """`work` for another thread, with the trace and the log's ids of this place."""
    here = contextvars.copy_context()

    def run() -> T:
        return here.run(work)

    return run


def ids() -> dict[str, Any]:
    """Trace and span of the current place, for a line of the log."""
    found = trace.get_current_span().get_span_context()
    if not found.is_valid:
        return {}
    return {"trace_id": f"{found.trace_id:032x}", "span_id": f"{found.span_id:016x}"}

"""Around everything the API does, also what the gate refuses: a trace with its id, and what a request took.

Plain ASGI and outermost. A request that changes something begins a trace, or joins the one that its `traceparent`
names; reads are measured and carry an id, and are not traced.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import structlog
from opentelemetry.context import Context
from opentelemetry.trace import SpanKind, Tracer
from prometheus_client import CollectorRegistry, Gauge, Histogram, PlatformCollector, ProcessCollector
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.docs import VERSION
from api.gate.middleware import OPEN_PATHS
from domain.metrics import BUILD, HTTP, SOCKETS
from system.tracing import PROPAGATOR, failed

_READS = frozenset({"GET", "HEAD", "OPTIONS"})
_METHODS = _READS | {"POST", "PUT", "PATCH", "DELETE"}
NO_ROUTE = "none"
_PREFIX = "/api/v1"


class Meters:
    """What one API process measures of itself."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        self.requests = Histogram(HTTP.name, HTTP.help, HTTP.labels, registry=self.registry, buckets=HTTP.buckets)
        self.sockets = Gauge(SOCKETS.name, SOCKETS.help, registry=self.registry)
        self.open_sockets = 0
        Gauge(BUILD.name, BUILD.help, BUILD.labels, registry=self.registry).labels(VERSION).set(1)

    def socket(self, change: int) -> None:
        """One more, or one less."""
        self.open_sockets += change
        self.sockets.set(self.open_sockets)


class Watch:
    """The outermost layer. `app.state.tracer` is there once the records are known."""

    def __init__(self, app: ASGIApp, meters: Meters) -> None:
        self._app = app
        self._meters = meters

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._request(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._socket(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _request(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun, answered = time.monotonic(), {"status": 0}

        async def noted(message: Message) -> None:
            if message["type"] == "http.response.start":
                answered["status"] = message["status"]
            await send(message)

        try:
            with _traced(scope, answered):
                await self._app(scope, receive, noted)
        finally:
            method = scope["method"] if scope["method"] in _METHODS else "OTHER"
            status = str(answered["status"] or 499)
            self._meters.requests.labels(method, route_of(scope), status).observe(time.monotonic() - begun)

    async def _socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        opened = 0

        async def noted(message: Message) -> None:
            nonlocal opened
            if message["type"] == "websocket.accept":
                opened = 1
                self._meters.socket(1)
            await send(message)

        try:
            with _named(scope, secrets.token_hex(16)):
                await self._app(scope, receive, noted)
        finally:
            self._meters.socket(-opened)


def route_of(scope: Scope) -> str:
    """The template of the route that answered: never an id or a name."""
    found = getattr(scope.get("route"), "path", None)
    if found:
        below = scope["path"].startswith(f"{_PREFIX}/") and not found.startswith(_PREFIX)
        return f"{_PREFIX}{found}" if below else str(found)
    if scope["path"] in OPEN_PATHS:
        return str(scope["path"])
    return "/ui" if scope["path"].startswith("/ui") else NO_ROUTE


@contextmanager
def _traced(scope: Scope, answered: dict[str, int]) -> Iterator[None]:
    tracer: Tracer | None = getattr(scope["app"].state, "tracer", None)
    if tracer is None or scope["method"] in _READS:
        with _named(scope, secrets.token_hex(16)):
            yield
        return
    parent = PROPAGATOR.extract({"traceparent": Headers(scope=scope).get("traceparent", "")}, Context())
    with tracer.start_as_current_span(
        scope["method"], parent, SpanKind.SERVER, record_exception=False, set_status_on_exception=False
    ) as span:
        with _named(scope, f"{span.get_span_context().trace_id:032x}"):
            yield
        told: dict[str, Any] = {"http.request.method": scope["method"], "http.route": route_of(scope)}
        span.update_name(f"{scope['method']} {route_of(scope)}")
        span.set_attributes({**told, "http.response.status_code": answered["status"]})
        if answered["status"] >= 500:
            failed(span, str(answered["status"]))


@contextmanager
def _named(scope: Scope, trace_id: str) -> Iterator[None]:
    """The id in problems, headers and every line of the log."""
    scope.setdefault("state", {})["trace_id"] = trace_id
    with structlog.contextvars.bound_contextvars(trace_id=trace_id):
        yield

"""One request from its first byte to its last: trace id, headers of the answer, log line, audit entry.

Used by the gate, and by batches for their rows.
"""

from __future__ import annotations

import time
from typing import Any

import structlog
from starlette.datastructures import MutableHeaders
from starlette.types import Message, Receive, Scope, Send
from ulid import ULID

from api.gate.bodies import where_asked
from api.problems import problem
from services.access.audit import Circumstances, Outcome

log = structlog.get_logger("api")
_LOGGED_PATH = 200
_QUESTIONS = (":plan", "/plan", "/ws-tickets")
"""Ends of paths whose POST changes nothing."""
_READS = frozenset({"GET", "HEAD", "OPTIONS"})
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
}
"""Of every answer that does not say otherwise; the interface's pages do (`api.pages`)."""
_ONLY_TLS = "max-age=31536000"


class Visit:
    """What was asked and answered. `headers` are added to the answer."""

    def __init__(self, scope: Scope, send: Send, *, quiet: bool) -> None:
        self._scope = scope
        self._send = send
        self._quiet = quiet
        self._begun = time.monotonic()
        self._status = 0
        self.headers: dict[str, str] = {}
        client = scope.get("client")
        trace_id = scope.setdefault("state", {}).setdefault("trace_id", str(ULID()).lower())
        self.about = Circumstances(trace_id, client[0] if client else None)

    async def send(self, message: Message) -> None:
        if message["type"] in {"http.response.start", "websocket.http.response.start"}:
            self._status = message["status"]
            headers = MutableHeaders(scope=message)
            headers["X-Request-ID"] = self.about.trace_id
            for name, value in {**_HEADERS, **self.headers}.items():
                headers.setdefault(name, value)
            if self._scope.get("scheme") in {"https", "wss"}:
                headers.setdefault("Strict-Transport-Security", _ONLY_TLS)
        await self._send(message)

    async def failed(self, error: Exception, receive: Receive) -> None:
        """Something that should not happen did."""
        # The message may hold values of the request or the database: the type and place must do.
        log.error("unhandled", trace_id=self.about.trace_id, path=self._scope["path"], **_where(error))
        if self._status == 0:
            detail = f"Something went wrong here; it is logged as {self.about.trace_id}."
            answer = problem(500, "internal", detail, **where_asked(self._scope))
            await answer(self._scope, receive, self.send)

    def end(self) -> None:
        """Log it, and note in the audit trail what no service has noted."""
        if self._quiet:
            return
        log.info(
            "request",
            method=self._method,
            path=self._scope["path"][:_LOGGED_PATH],
            status=self._status,
            ms=round((time.monotonic() - self._begun) * 1000, 1),
            trace_id=self.about.trace_id,
        )
        if self._is_for_the_trail() and (self.about.caller or self._is_worth_an_entry()):
            self._scope["app"].state.parts.trail.note(**self._entry())

    @property
    def _method(self) -> str:
        """A handshake for a socket is a GET."""
        return str(self._scope.get("method", "GET"))

    def _is_worth_an_entry(self) -> bool:
        """A flood of nobody's is told by its first refusals; the rest would only fill the trail."""
        allowed: bool = self._scope["app"].state.parts.rates.refused(self.about.remote or "").allowed
        return allowed

    def _is_for_the_trail(self) -> bool:
        """Every mutation and every refusal of a person; not what only looked, and found or did not find."""
        if self._status == 0:
            return False
        if self._method in _READS:
            return self._status in {401, 403, 429}
        if self._status >= 400:  # what a service had noted was rolled back with its transaction
            return True
        return not self.about.noted and not str(self._scope["path"]).endswith(_QUESTIONS)

    def _entry(self) -> dict[str, Any]:
        route = self._scope.get("route")
        action = getattr(route, "operation_id", None) or f"{self._method} (no route)"
        return told(self.about, action, self._scope["path"], self._status)


def told(about: Circumstances, action: str, path: str, status: int, detail: str | None = None) -> dict[str, Any]:
    """The audit entry of an answer that no service has noted. `detail` holds no secret and no free text."""
    caller = about.caller
    return {
        "project": caller.project if caller else None,
        "actor": caller.name if caller else "nobody",
        "role": caller.role.value if caller else None,
        "action": action,
        "target": _printable(path),
        "outcome": _outcome(status).value,
        "status": status,
        "detail": detail,
        "trace_id": about.trace_id,
        "remote": about.remote,
    }


def _outcome(status: int) -> Outcome:
    if status >= 500:
        return Outcome.FAILED
    if status >= 400:
        return Outcome.REFUSED
    return Outcome.ACCEPTED if status == 202 else Outcome.DONE


def _printable(path: str) -> str:
    """What a terminal would obey, or a database refuse, is written out."""
    return path if path.isascii() and path.isprintable() else ascii(path)


def _where(error: BaseException) -> dict[str, Any]:
    """The kind of an error, and the places it came through."""
    frames = []
    step = error.__traceback__
    while step is not None:
        frames.append(f"{step.tb_frame.f_code.co_filename.rpartition('/')[2]}:{step.tb_lineno}")
        step = step.tb_next
    return {"kind": type(error).__name__, "through": " > ".join(frames[-12:])}

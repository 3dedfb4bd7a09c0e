"""Before and after every request: Host, Origin, token, size of the body, trace id, access log, last-resort 500.

Plain ASGI, so that nothing is parsed for a caller who has no token, and nothing is buffered beyond the limit.
"""

from __future__ import annotations

import asyncio
import hmac
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from ulid import ULID

from api.problems import problem
from domain.limits import MAX_BODY_BYTES
from domain.specs import Caller

log = structlog.get_logger("api")
ADMIN = Caller("admin")
"""The bearer of the token: the installation's administrator."""

LOGIN_PATH = "/api/v1/login-codes:exchange"
UI = "/ui"
OPEN_PATHS = frozenset(
    {
        "/",
        "/health",
        "/livez",
        "/readyz",
        "/api/v1/health",
        "/api/v1/livez",
        "/api/v1/readyz",
        "/docs/errors",
        LOGIN_PATH,
    }
)
"""No token needed: liveness for machines, the page that problems link to, and where a browser gets its token."""
PROBED = OPEN_PATHS - {"/docs/errors", LOGIN_PATH, "/"}
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_BODY_SECONDS = 30.0
_LOGGED_PATH = 200


def _is_open(path: str) -> bool:
    return path in OPEN_PATHS or path == UI or path.startswith(f"{UI}/")


@dataclass(frozen=True)
class Trust:
    """Whom this API believes: the token, and the names under which it is reached."""

    token: str
    hosts: frozenset[str]

    def knows_host(self, value: str) -> bool:
        """Whether a Host header (with or without port) names us: no other page's DNS name may."""
        name = urlsplit(f"//{value}").hostname or ""
        return name in _LOOPBACK or name in self.hosts

    def knows_token(self, authorization: str) -> bool:
        """Whether the header carries our token, compared in constant time."""
        scheme, _, token = authorization.partition(" ")
        return scheme.lower() == "bearer" and hmac.compare_digest(token.strip().encode(), self.token.encode())


class Gate:
    """The outermost layer of the API."""

    def __init__(self, app: ASGIApp, trust: Trust) -> None:
        self._app = app
        self._trust = trust

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await self._socket(scope, receive, send)
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        visit = _Visit(scope, send)
        try:
            refusal = self._refusal(scope)
            if refusal is None:
                body = await _read_body(scope, receive)
                if isinstance(body, bytes):
                    await self._app(scope, _replay(body, receive), visit.send)
                    return
                refusal = body
            await refusal(scope, receive, visit.send)
        except _ClientGoneError:
            return
        except Exception as error:  # noqa: BLE001 - the last resort: an answer and a log line, whatever it was
            await visit.failed(error, receive)
        finally:
            visit.log()

    async def _socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refused before it is accepted unless it comes from us; without a token it must show a ticket later."""
        headers = Headers(scope=scope)
        state = scope.setdefault("state", {})
        if self._stranger(headers, scope["path"]) is not None:
            await send({"type": "websocket.close", "code": 4403})
            return
        if self._trust.knows_token(headers.get("authorization", "")):
            state["caller"] = ADMIN
        await self._app(scope, receive, send)

    def _stranger(self, headers: Headers, path: str) -> str | None:
        """Why this comes from elsewhere, if it does: another name for us, or another site's page."""
        host = headers.get("host", "")
        if path not in PROBED and not self._trust.knows_host(host):
            return "The Host header does not name this Berth."
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc != host:
            return "Requests of web pages from elsewhere are refused."
        return None

    def _refusal(self, scope: Scope) -> Response | None:
        path, headers = scope["path"], Headers(scope=scope)
        where = _where_asked(scope)
        stranger = self._stranger(headers, path)
        if stranger is not None:
            return problem(403, "forbidden", stranger, **where)
        known = self._trust.knows_token(headers.get("authorization", ""))
        scope["state"]["open"] = _is_open(path)
        if known:
            scope["state"]["caller"] = ADMIN
        elif not _is_open(path):
            detail = "A bearer token is needed: the content of the file token in the data directory."
            return problem(
                401, "unauthorized", detail, headers={"WWW-Authenticate": 'Bearer realm="berth"'}, **where
            )
        return None


def _where_asked(scope: Scope) -> dict[str, Any]:
    return {"instance": scope["path"], "trace_id": scope["state"]["trace_id"]}


class _ClientGoneError(Exception):
    """The client left before its request was whole: there is nothing to do and nobody to answer."""


async def _read_body(scope: Scope, receive: Receive) -> bytes | Response:
    """The whole body, or the refusal of one that is too large or does not come."""
    where: dict[str, Any] = {"headers": {"Connection": "close"}, **_where_asked(scope)}
    too_large = problem(413, "too-large", f"The body is larger than {MAX_BODY_BYTES // 1024} KiB.", **where)
    length = Headers(scope=scope).get("content-length", "0")
    if not length.isdigit() or int(length) > MAX_BODY_BYTES:
        return too_large
    body = bytearray()
    try:
        async with asyncio.timeout(_BODY_SECONDS):
            async for part in _parts_of(receive):
                body += part
                if len(body) > MAX_BODY_BYTES:
                    return too_large
    except TimeoutError:
        return problem(408, "bad-request", "The body did not arrive in time.", **where)
    return bytes(body)


async def _parts_of(receive: Receive) -> AsyncIterator[bytes]:
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _ClientGoneError
        more = message.get("more_body", False)
        yield message.get("body", b"")


def _replay(body: bytes, receive: Receive) -> Receive:
    """Hand the body on once; afterwards only the client's leaving is news."""
    sent = False

    async def replay() -> Message:
        nonlocal sent
        if sent:
            return await receive()
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


class _Visit:
    """One request: its trace id, what was answered, how long it took."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self._scope = scope
        self._send = send
        self._begun = time.monotonic()
        self._status = 0
        self.trace_id = str(ULID()).lower()
        scope.setdefault("state", {})["trace_id"] = self.trace_id

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]
            headers = MutableHeaders(scope=message)
            headers["X-Request-ID"] = self.trace_id
            headers.setdefault("X-Content-Type-Options", "nosniff")
            headers.setdefault("Cache-Control", "no-store")
        await self._send(message)

    async def failed(self, error: Exception, receive: Receive) -> None:
        # The message may hold values of the request or the database: the type and place must do.
        log.error("unhandled", trace_id=self.trace_id, path=self._scope["path"], **_where(error))
        if self._status == 0:
            detail = f"Something went wrong here; it is logged as {self.trace_id}."
            answer = problem(500, "internal", detail, **_where_asked(self._scope))
            await answer(self._scope, receive, self.send)

    def log(self) -> None:
        if self._scope["path"] in PROBED:
            return
        log.info(
            "request",
            method=self._scope["method"],
            path=self._scope["path"][:_LOGGED_PATH],
            status=self._status,
            ms=round((time.monotonic() - self._begun) * 1000, 1),
            trace_id=self.trace_id,
        )


def _where(error: BaseException) -> dict[str, Any]:
    """The kind of an error, and the places it came through."""
    frames = []
    step = error.__traceback__
    while step is not None:
        frames.append(f"{step.tb_frame.f_code.co_filename.rpartition('/')[2]}:{step.tb_lineno}")
        step = step.tb_next
    return {"kind": type(error).__name__, "through": " > ".join(frames[-12:])}

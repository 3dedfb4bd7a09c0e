"""One table: what Berth raises on purpose → HTTP status; and handlers for everything else that can go wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from psycopg2.errors import (
    ConfigurationLimitExceeded,
    DiskFull,
    InsufficientResources,
    ReadOnlySqlTransaction,
    TooManyConnections,
)
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException
from starlette.responses import Response

from api.live.connections import CredentialEnded
from api.problems import field_errors, problem
from db.vault import WrongKey
from domain.errors import (
    BerthError,
    Forbidden,
    HostUnavailable,
    IdempotencyConflict,
    InvalidInput,
    NameTaken,
    NotFound,
    OperationInProgress,
    OperationNotAllowed,
    PortTaken,
    PreconditionFailed,
    PreconditionRequired,
    ProviderUnavailable,
    Refused,
    Terminated,
    Unavailable,
)
from services.access.bounds import LimitReached, TooManyUnfinished
from services.access.codes import CodeRefused
from services.access.rates import RateLimited
from services.access.signatures import NotSigned
from services.requests.edits import SeveralMembers
from services.views.actions import allowed_to_asker

log = structlog.get_logger("api")
_FULL = (DiskFull, ReadOnlySqlTransaction, TooManyConnections, ConfigurationLimitExceeded, InsufficientResources)

STATUS: dict[type[BerthError], int] = {
    InvalidInput: 422,
    NotFound: 404,
    Terminated: 404,
    OperationNotAllowed: 409,
    OperationInProgress: 409,
    NameTaken: 409,
    PortTaken: 409,
    HostUnavailable: 409,
    ProviderUnavailable: 409,
    SeveralMembers: 409,
    IdempotencyConflict: 422,
    PreconditionFailed: 412,
    PreconditionRequired: 428,
    Unavailable: 503,
    WrongKey: 503,
    CodeRefused: 401,
    NotSigned: 401,
    Forbidden: 403,
    LimitReached: 403,
    TooManyUnfinished: 429,
    RateLimited: 429,
    Refused: 409,
}
_HTTP_CODES = {
    400: "bad-request",
    401: "unauthorized",
    403: "forbidden",
    404: "not-found",
    405: "method-not-allowed",
    413: "too-large",
    415: "unsupported-media-type",
}


class BadRequest(Refused):
    """The request cannot be read."""

    code = "bad-request"


class BadPageToken(Refused):
    """A page token that is not ours, or for another list."""

    code = "invalid-page-token"


class NotJson(Refused):
    """A body in another media type."""

    code = "unsupported-media-type"


class Conflict(Refused):
    """A lost race that a second try did not settle."""

    code = "conflict"


STATUS |= {CredentialEnded: 401, BadRequest: 400, BadPageToken: 400, NotJson: 415, Conflict: 409}


def status_of(error: BerthError) -> int:
    """The HTTP status of an error, by its nearest class in the table."""
    return next((STATUS[kind] for kind in type(error).__mro__ if kind in STATUS), 500)


def _instead(error: OperationNotAllowed, allowed: tuple[str, ...]) -> dict[str, Any]:
    return {"current_status": error.status, "allowed_actions": list(allowed), "detail": error.told(allowed)}


_DETAILS: dict[type[BerthError], Callable[[Any], dict[str, Any]]] = {
    InvalidInput: lambda e: {"errors": field_errors((f.pointer, f.detail) for f in e.errors)},
    OperationNotAllowed: lambda e: _instead(e, allowed_to_asker(e.allowed)),
    OperationInProgress: lambda e: {
        "operation": {"id": e.operation_id, "kind": e.kind, "href": f"/api/v1/operations/{e.operation_id}"}
    },
    NameTaken: lambda _: {"errors": field_errors([("/name", "is taken")])},
    PortTaken: lambda _: {"errors": field_errors([("/params/port", "is taken")])},
    PreconditionFailed: lambda e: {"current_version": e.current_version},
    LimitReached: lambda e: {"limit": asdict(e.broken)},
    RateLimited: lambda e: {
        "limit": {"name": "rate_actions", "allowed": e.policy.quota, "used": e.policy.quota, "asked": 1}
    },
    Terminated: lambda e: {"run_url": f"/api/v1/runs/{e.run_id}", "run_id": e.run_id},
}
"""What a problem carries beside its text."""


def problem_of(error: BerthError) -> dict[str, Any]:
    """(status, code, detail, …) for `problem()`, also for a row of a batch."""
    details = next((_DETAILS[kind](error) for kind in type(error).__mro__ if kind in _DETAILS), {})
    return {"status": status_of(error), "code": error.code, "detail": error.message, **details}


def install(app: FastAPI, methods_of: Callable[[str], set[str]]) -> None:
    """Every error of `app` becomes a problem. `methods_of` knows what a path takes."""
    app.state.methods_of = methods_of
    app.add_exception_handler(BerthError, _berth)
    app.add_exception_handler(RequestValidationError, _validation)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(DBAPIError, _database)
    app.add_exception_handler(PoolTimeout, _database)


def _trace(request: Request) -> dict[str, Any]:
    return {"instance": request.url.path, "trace_id": getattr(request.state, "trace_id", None)}


def _berth(request: Request, error: Exception) -> Response:
    assert isinstance(error, BerthError)
    form = problem_of(error)
    if form["status"] == 500:
        raise error
    return problem(**form, headers=_headers(error), **_trace(request))


def _headers(error: BerthError) -> dict[str, str]:
    after = getattr(error, "retry_after", None)
    headers = {} if after is None else {"Retry-After": str(after)}
    if isinstance(error, RateLimited):
        headers |= {"RateLimit-Policy": error.policy.header, "RateLimit": f'"{error.policy.name}";r=0;t={after}'}
    return headers


def _validation(request: Request, error: Exception) -> Response:
    """Path and query parameters; bodies are checked by `services.forms.validation`."""
    assert isinstance(error, RequestValidationError)
    errors = [
        {
            "pointer": "/" + "/".join(str(p) for p in e["loc"][1:]),
            "in": str(e["loc"][0]),
            "detail": "unknown parameter" if e["type"] == "extra_forbidden" else str(e["msg"]),
        }
        for e in error.errors()
    ]
    detail = "; ".join(f"{e['in']} {e['pointer']}: {e['detail']}" for e in errors)
    return problem(422, "invalid-input", detail, errors=errors, **_trace(request))


def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    code = _HTTP_CODES.get(error.status_code, "refused")
    detail = {
        404: f"There is no {request.url.path} here.",
        405: f"{request.url.path} does not take {request.method}.",
    }.get(error.status_code, str(error.detail))
    headers = dict(error.headers or {})
    if error.status_code == 405:
        headers["Allow"] = ", ".join(sorted(request.app.state.methods_of(request.url.path)))
    return problem(error.status_code, code, detail, headers=headers, **_trace(request))


def _database(request: Request, error: Exception) -> Response:
    """The database is away, too slow, full or read-only: say so, without its words, which may hold values."""
    if isinstance(error, DBAPIError) and not _passes(error):
        raise error
    cause = getattr(error, "orig", None) or error
    if isinstance(cause, _FULL):
        detail = "The database can store nothing now; reading goes on."
        log.error("database stores nothing", kind=type(cause).__name__, path=request.url.path)
        return problem(503, "unavailable", detail, headers={"Retry-After": "30"}, **_trace(request))
    log.warning("database does not answer", kind=type(cause).__name__, path=request.url.path)
    return problem(503, "unavailable", "The database does not answer now.", **_trace(request))


def _passes(error: DBAPIError) -> bool:
    return isinstance(error, OperationalError) or error.connection_invalidated or isinstance(error.orig, _FULL)

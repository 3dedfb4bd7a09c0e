"""The forms of answers that routes share: 200 with an ETag, 202 with its links."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import structlog
from starlette.responses import JSONResponse, Response

from services.views.operations import href

log = structlog.get_logger("api")
RETRY_SECONDS = "2"


def ok(content: Any, *, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """200."""
    return JSONResponse(content, headers=dict(headers or {}))


_MOMENTS = ("provider_state_at", "health_checked_at")
"""When something was looked at: another look that finds the same is no difference."""


def unless_known(content: Mapping[str, Any], known: str | None, *, version: int | None = None) -> Response:
    """200 with a strong ETag, or 304 when it is among `known`, the client's `If-None-Match`.

    The tag begins with the version, which is all that `If-Match` compares; the rest tells what changes without it.
    """
    told = {key: value for key, value in content.items() if key not in _MOMENTS}
    digest = hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:12]
    tag = f'"{digest}"' if version is None else f'"{version}-{digest}"'
    tags = {one.strip().removeprefix("W/") for one in (known or "").split(",")}
    if tag in tags or "*" in tags:
        return Response(status_code=304, headers={"ETag": tag})
    return ok(content, headers={"ETag": tag})


def made(content: Any) -> JSONResponse:
    """201: something small that was made at once."""
    return JSONResponse(content, status_code=201)


def accepted(content: Mapping[str, Any], operation_id: str, location: str | None, **headers: str) -> JSONResponse:
    """202: where the thing is, where the operation is, and when to look again."""
    log.info("operation accepted", operation=operation_id)
    links = {"Operation-Location": href(operation_id), "Retry-After": RETRY_SECONDS, **headers}
    if location is not None:
        links["Location"] = location
    return JSONResponse(content, status_code=202, headers=links)

"""The forms of answers that routes share: 200 with an ETag, 202 with its links."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import structlog
from starlette.responses import JSONResponse

from services.views.operations import href

log = structlog.get_logger("api")
RETRY_SECONDS = "2"


def ok(content: Any, *, version: int | None = None, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """200. With `version` a strong ETag."""
    extra = dict(headers or {})
    if version is not None:
        extra["ETag"] = f'"{version}"'
    return JSONResponse(content, headers=extra)


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

"""RFC 9457 problems: the one form of every error answer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from starlette.responses import JSONResponse

from domain.help import help_for, help_url

MEDIA_TYPE = "application/problem+json"
RETRY_SECONDS = 2


class ProblemResponse(JSONResponse):
    """JSON that says it is a problem."""

    media_type = MEDIA_TYPE


def problem_form(status: int, code: str, detail: str, **more: Any) -> dict[str, Any]:
    """The body. `more` adds fields; those that are None are left out."""
    return {
        "type": help_url(code),
        "title": help_for(code).title,
        "status": status,
        "detail": detail,
        "code": code,
        "retryable": status in {429, 503},
        "help": help_for(code).helps,
        **{key: value for key, value in more.items() if value is not None},
    }


def field_errors(errors: Iterable[tuple[str, str]]) -> list[dict[str, str]]:
    """(pointer, detail) pairs as the body lists them."""
    return [{"pointer": pointer, "detail": detail} for pointer, detail in errors]


def problem(
    status: int, code: str, detail: str, headers: Mapping[str, str] | None = None, **more: Any
) -> ProblemResponse:
    """A whole answer."""
    extra = dict(headers or {})
    if status == 503:
        extra.setdefault("Retry-After", str(RETRY_SECONDS))
    return ProblemResponse(problem_form(status, code, detail, **more), status_code=status, headers=extra)

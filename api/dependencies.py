"""What routes ask for by type: the parts, the caller, the body, the circumstances of a change."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import Depends, Header, Query, Request

from api.access import caller_of
from api.errors import BadRequest, NotJson
from api.parts import Parts
from domain.errors import FieldError, InvalidInput
from domain.limits import MAX_JSON_DEPTH
from domain.specs import Ask, Caller, Idempotency

LONGEST_KEY = 255
_JSON = frozenset({"application/json", "application/merge-patch+json"})
_VERSION = re.compile(r'"(\d{1,15})(?:-[0-9a-f]{12})?"\Z')


async def _parts(request: Request) -> Parts:
    parts: Parts = request.app.state.parts
    return parts


async def _caller(request: Request) -> Caller:
    """Who asks; the gate has checked the token."""
    return caller_of(request)


async def _body(request: Request) -> Any:
    """The JSON of the body; an empty body is an empty object. Raises `NotJson` or `BadRequest`."""
    raw = await request.body()
    if not raw:
        return {}
    declared = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if declared not in _JSON:
        raise NotJson(f"The body must be JSON (Content-Type: application/json), not {declared[:60]!r}.")
    try:
        body = json.loads(raw)
    except UnicodeDecodeError:
        raise BadRequest("The body is not UTF-8.") from None
    except json.JSONDecodeError as error:
        raise BadRequest(
            f"The body is not JSON: {error.msg} at line {error.lineno}, column {error.colno}."
        ) from None
    except (RecursionError, ValueError):
        raise BadRequest("The body is nested too deeply, or a number in it is too long.") from None
    if not _is_shallow(body):
        raise BadRequest(f"The body is nested more than {MAX_JSON_DEPTH} deep.")
    return body


def _is_shallow(body: Any) -> bool:
    """Whether it is nested at most as deep as any of our forms could be."""
    level = [body]
    for _ in range(MAX_JSON_DEPTH):
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
        if not level:
            return True
    return not any(isinstance(inner, dict | list) for inner in level)


PartsDep = Annotated[Parts, Depends(_parts)]
CallerDep = Annotated[Caller, Depends(_caller)]
BodyDep = Annotated[Any, Depends(_body)]


async def _ask(
    request: Request,
    parts: PartsDep,
    caller: CallerDep,
    body: BodyDep,
    idempotency_key: Annotated[str | None, Header(alias="Idempotency-Key")] = None,
) -> Ask:
    """Who asks, and the key that makes a repeat harmless."""
    bounds = parts.bounds.now()
    if idempotency_key is None:
        return Ask(caller, bounds=bounds)
    key = idempotency_key.strip().removeprefix('"').removesuffix('"')
    if not 1 <= len(key) <= LONGEST_KEY or not key.isascii() or not key.isprintable():
        raise InvalidInput(
            FieldError("", f"Idempotency-Key must be 1 to {LONGEST_KEY} printable ASCII characters")
        )
    canonical = json.dumps(body, sort_keys=True, separators=(",", ":"))
    scope = f"{caller.project}/{caller.name} {request.method} {request.url.path}"
    # Signed, not hashed: a body can hold a secret, and who reads the records could try values on a hash.
    fingerprint = parts.vault.sign("request", canonical, str(request.url.query))
    return Ask(caller, idempotency=Idempotency(scope, key, fingerprint), bounds=bounds)


async def _versions(if_match: Annotated[str | None, Header(alias="If-Match")] = None) -> frozenset[int] | None:
    """The versions in If-Match. `*` is any: None. Weak tags match nothing. Absent: an empty set."""
    if if_match is None:
        return frozenset()
    if if_match.strip() == "*":
        return None
    found = [_VERSION.match(tag.strip()) for tag in if_match.split(",")]
    return frozenset(int(m[1]) for m in found if m) or frozenset({-1})


AskDep = Annotated[Ask, Depends(_ask)]
VersionsDep = Annotated[frozenset[int] | None, Depends(_versions)]
KnownHeader = Annotated[
    str | None, Header(alias="If-None-Match", description="The ETag that you have: 304 when nothing differs.")
]
WaitQuery = Annotated[float, Query(ge=0, le=60, description="Seconds to wait for the end at most.")]


def now() -> datetime:
    """The time by which views decide what is late."""
    return datetime.now(UTC)

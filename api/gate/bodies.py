"""The body of a request, whole and bounded, before anything of it is looked at. Used by the gate."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Message, Receive, Scope

from api.problems import problem
from domain.limits import MAX_BODY_BYTES, MAX_HEADER_BYTES, MAX_HEADERS

_BODY_SECONDS = 30.0
_ONCE = frozenset({b"host", b"authorization", b"content-length", b"origin", b"berth-project", b"idempotency-key"})


class ClientGoneError(Exception):
    """The client left before its request was whole: there is nothing to do and nobody to answer."""


def where_asked(scope: Scope) -> dict[str, Any]:
    """What every problem says of its request."""
    return {"instance": scope["path"], "trace_id": scope["state"]["trace_id"]}


def bad_headers(scope: Scope) -> Response | None:
    """The refusal of headers that are too many, too long, or there twice where only one can count."""
    headers = scope["headers"]
    size = sum(len(name) + len(value) for name, value in headers) + len(scope.get("raw_path") or b"")
    if len(headers) > MAX_HEADERS or size + len(scope.get("query_string", b"")) > MAX_HEADER_BYTES:
        detail = f"At most {MAX_HEADERS} headers, with path and query at most {MAX_HEADER_BYTES // 1024} KiB."
        return problem(431, "too-large", detail, headers={"Connection": "close"}, **where_asked(scope))
    names = [name for name, _ in headers if name in _ONCE]
    if len(names) != len(set(names)):
        return problem(
            400, "bad-request", "A header that can count once only is there twice.", **where_asked(scope)
        )
    return None


async def read_body(scope: Scope, receive: Receive) -> bytes | Response:
    """The whole body, or the refusal of one that is too large or does not come."""
    where: dict[str, Any] = {"headers": {"Connection": "close"}, **where_asked(scope)}
    too_large = problem(413, "too-large", f"The body is larger than {MAX_BODY_BYTES // 1024} KiB.", **where)
    length = Headers(scope=scope).get("content-length", "0")
    if not (length.isascii() and length.isdigit()) or len(length) > 12 or int(length) > MAX_BODY_BYTES:
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
            raise ClientGoneError
        more = message.get("more_body", False)
        yield message.get("body", b"")


def replay(body: bytes, receive: Receive) -> Receive:
    """Hand the body on once; afterwards only the client's leaving is news."""
    sent = False

    async def again() -> Message:
        nonlocal sent
        if sent:
            return await receive()
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again

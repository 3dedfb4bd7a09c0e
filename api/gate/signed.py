"""Whether billing signed a request. Asked by the gate, which counts strangers, and by the route, for access."""

from __future__ import annotations

from functools import lru_cache

from pydantic import SecretStr
from starlette.datastructures import Headers
from starlette.types import Scope

from services.access.signatures import NotSigned, Signatures

MAX_BYTES = 64 * 1024


@lru_cache(maxsize=4)
def signatures(secrets: SecretStr) -> Signatures:
    """Of the configured secrets. Raises `ValueError` for one that cannot verify anything."""
    return Signatures.of(secrets.get_secret_value())


def is_signed(scope: Scope, raw: bytes, secrets: SecretStr) -> bool:
    """Whether this is a delivery of billing's. What is too large to be one is not looked at."""
    if len(raw) > MAX_BYTES:
        return False
    try:
        signatures(secrets).verified(raw, Headers(scope=scope))
    except NotSigned:
        return False
    return True

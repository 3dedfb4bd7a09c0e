"""What the daemon's refusals mean: retry, wait, or tell a person what to change."""

from __future__ import annotations

import re
from collections.abc import Iterable

from docker.errors import APIError

from domain.errors import ProviderError, ProviderErrorKind

_KINDS = {
    400: ProviderErrorKind.INVALID,
    401: ProviderErrorKind.AUTH,
    403: ProviderErrorKind.AUTH,
    404: ProviderErrorKind.NOT_FOUND,
    409: ProviderErrorKind.TRANSIENT,  # somebody else changes it now; look again
    429: ProviderErrorKind.THROTTLED,
}
# Said with a status that does not tell them apart from others.
_WORDS = (
    (re.compile(r"no space left on device|disk quota exceeded"), ProviderErrorKind.NO_CAPACITY),
    (re.compile(r"Range of CPUs is from"), ProviderErrorKind.NO_CAPACITY),
    (re.compile(r"could not find an available.* address pool"), ProviderErrorKind.NO_CAPACITY),
    (re.compile(r"executable file not found|no such file or directory: unknown"), ProviderErrorKind.INVALID),
    (re.compile(r"permission denied: unknown|exec format error"), ProviderErrorKind.INVALID),
    (re.compile(r"network \S+ is ambiguous"), ProviderErrorKind.TRANSIENT),  # until one of the two is removed
    (re.compile(r"unable to find user|no matching entries in passwd"), ProviderErrorKind.INVALID),
)
_PORT_TAKEN = re.compile(r"port is already allocated|address already in use")
_NO_QUOTA = re.compile(r"storage-opt|storage opt|quota (support|size|not)")
_NO_NETWORK = re.compile(r"network \S+ not found")
_LONGEST = 400


class PortTaken(ProviderError):
    """The daemon could not open the container's port on this host."""


class NetworkMissing(ProviderError):
    """The container's network was removed since it was attached."""


class NoQuota(ProviderError):
    """The daemon's storage cannot limit a container's disk."""


class NameInUse(ProviderError):
    """A container of this name exists, or is being made at this moment."""


def translated(error: APIError, hide: Iterable[str]) -> ProviderError:
    """The daemon's own words, without secrets."""
    said = masked(str(error.explanation or error), hide)[:_LONGEST].strip()
    status = error.status_code or 500
    if _PORT_TAKEN.search(said):
        return PortTaken(ProviderErrorKind.INVALID, said)
    if _NO_NETWORK.search(said):
        return NetworkMissing(ProviderErrorKind.TRANSIENT, said)
    if _NO_QUOTA.search(said):
        return NoQuota(ProviderErrorKind.INVALID, said)
    if status == 409 and "name" in said and "already in use" in said:
        return NameInUse(ProviderErrorKind.TRANSIENT, said)
    kind = next((kind for words, kind in _WORDS if words.search(said)), None)
    return ProviderError(kind or _KINDS.get(status, ProviderErrorKind.TRANSIENT), f"Docker says: {said}")


def masked(text: str, hide: Iterable[str]) -> str:
    for secret in sorted(filter(None, hide), key=len, reverse=True):
        text = text.replace(secret, "***")
    return text

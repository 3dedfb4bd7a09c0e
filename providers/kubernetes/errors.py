"""What the API server's refusals mean, once for all verbs. No text of a Secret's refusal is ever passed on."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from domain.errors import ProviderError, ProviderErrorKind

_NO_RIGHT = re.compile(r"\bcannot \w+ resource\b")
_QUOTA = "exceeded quota"
_FOR_A_WHILE = ("being terminated", "not yet ready to handle request", "error looking up service account")
_LONGEST = 600

Kind = ProviderErrorKind
_WHY = {
    "NewConnectionError": "nobody listens at its address",
    "NameResolutionError": "its name is unknown",
    "ConnectTimeoutError": "no connection in time",
    "ReadTimeoutError": "no answer in time",
    "ProtocolError": "the connection broke",
}
_BY_STATUS = {
    400: Kind.INVALID,
    401: Kind.AUTH,
    404: Kind.NOT_FOUND,
    405: Kind.INVALID,
    409: Kind.TRANSIENT,
    410: Kind.TRANSIENT,
    413: Kind.INVALID,
    415: Kind.INVALID,
    422: Kind.INVALID,
    429: Kind.THROTTLED,
}


class ApiError(ProviderError):
    """The API server answered, and said no. `status` is HTTP's."""

    def __init__(self, kind: Kind, message: str, status: int, retry_after: float | None = None) -> None:
        super().__init__(kind, message, retry_after)
        self.status = status


def refusal(doing: str, status: int, body: bytes, headers: Mapping[str, str], *, secret: bool = False) -> ApiError:
    """The error for an answer with a status of 400 or more. `doing` says what was tried, in words."""
    said = _status_object(body)
    text = str(said.get("message") or "") or f"HTTP status {status}"
    kind = kind_of(status, text)
    if secret and kind is Kind.INVALID:
        fields = [str(cause.get("field")) for cause in (said.get("details") or {}).get("causes") or []]
        text = f"the API server does not accept it ({', '.join(fields) or said.get('reason') or status})"
    hint = "; give Berth's account the rules of deploy/kubernetes/rbac.yaml" if _NO_RIGHT.search(text) else ""
    return ApiError(kind, f"{doing}: {text[:_LONGEST]}{hint}", status, _retry_after(said, headers))


def kind_of(status: int, text: str) -> Kind:
    """403 has many meanings: no right, no quota, refused by a rule of the cluster, or not just now."""
    if status == 403:
        if _QUOTA in text:
            return Kind.QUOTA
        if any(words in text for words in _FOR_A_WHILE):
            return Kind.TRANSIENT
        return Kind.AUTH if _NO_RIGHT.search(text) else Kind.INVALID
    return _BY_STATUS.get(status, Kind.TRANSIENT if status >= 500 else Kind.INVALID)


def unreachable(doing: str, error: Exception) -> ProviderError:
    """No answer: nobody knows whether it was done, so that the next attempt looks first."""
    cause = getattr(error, "reason", None)
    name = type(cause if isinstance(cause, Exception) else error).__name__
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        return ProviderError(Kind.AUTH, f"{doing}: the kubeconfig does not trust its certificate")
    return ProviderError(Kind.TRANSIENT, f"{doing}: the cluster does not answer ({_WHY.get(name, name)})")


def _status_object(body: bytes) -> dict[str, Any]:
    try:
        said = json.loads(body)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def _retry_after(said: Mapping[str, Any], headers: Mapping[str, str]) -> float | None:
    told = headers.get("Retry-After") or (said.get("details") or {}).get("retryAfterSeconds")
    try:
        return None if told is None else float(told)
    except (TypeError, ValueError):
        return None

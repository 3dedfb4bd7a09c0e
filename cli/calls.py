"""One request and one answer, as plain facts: what commands pass to and get from `cli.client`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

PATIENCE_SECONDS = 10.0
READ_SECONDS = 30.0
PREFIX = "/api/v1"

Body = Mapping[str, Any]


@dataclass(frozen=True)
class Answer:
    """What the API said: the JSON object and the headers that matter."""

    status: int
    body: dict[str, Any]
    etag: str | None = None
    retry_after: float | None = None


@dataclass(frozen=True)
class Call:
    """One request, as often as it has to be sent."""

    method: str
    path: str
    params: Mapping[str, Any] | None = None
    body: Body | None = None
    headers: Mapping[str, str] | None = None
    read_seconds: float = READ_SECONDS
    patience: float | None = None
    """How long to go on without an answer; None: `PATIENCE_SECONDS`."""

    @property
    def url(self) -> str:
        """Root paths of the API are named with a leading `//`, all others live below the prefix."""
        return self.path[1:] if self.path.startswith("//") else PREFIX + self.path

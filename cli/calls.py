"""One request and one answer, as plain facts: what commands pass to and get from `cli.client`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cli.errors import CliError, ExitCode

PATIENCE_SECONDS = 10.0
READ_SECONDS = 30.0
PREFIX = "/api/v1"
_PART = re.compile(r"[A-Za-z0-9_:-]+")

Body = Mapping[str, Any]


def at(*parts: str) -> str:
    """The path of one resource. Raises `CliError` for a name that would lead elsewhere: no living thing has it."""
    for part in parts:
        if not _PART.fullmatch(part):
            raise CliError(
                f"There is no {part!r}.",
                code=ExitCode.NOT_FOUND,
                detail="Names consist of a-z, 0-9 and -, ids have an underscore besides.",
            )
    return "/" + "/".join(parts)


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

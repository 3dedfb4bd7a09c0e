"""Looks at what listens on an instance's port of this host: does it serve? Never follows a redirect.

Used by the probes of blueprints whose containers are reached through a published port.
"""

from __future__ import annotations

import http.client
import socket

from domain.errors import ProviderError, ProviderErrorKind
from domain.work import Work

_HOST = "127.0.0.1"
_REFUSAL_SECONDS = 0.25
_LONGEST_ANSWER = 300


def check(work: Work, path: str, timeout_seconds: float) -> None:
    """Return when GET `path` answers 200 to 399; raise `ProviderError(NOT_READY)` with what it says instead."""
    connection = http.client.HTTPConnection(_HOST, work.own_port, timeout=timeout_seconds)
    try:
        connection.request("GET", path, headers={"Connection": "close"})
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        raise _not_ready(f"no answer from {path}: {_words(error)}") from None
    finally:
        connection.close()
    if not http.client.OK <= status < http.client.BAD_REQUEST:
        raise _not_ready(f"{path} answered {status}")


def check_tcp(work: Work, timeout_seconds: float) -> None:
    """Return when a connection is taken and stays open.

    What publishes a container's port takes every connection, and closes it when nobody listens inside.
    """
    try:
        with socket.create_connection((_HOST, work.own_port), timeout=timeout_seconds) as connection:
            closed = _closes(connection, min(_REFUSAL_SECONDS, timeout_seconds))
    except OSError as error:
        raise _not_ready(f"no connection: {_words(error)}") from None
    if closed:
        raise _not_ready("its port closes every connection at once")


def _closes(connection: socket.socket, seconds: float) -> bool:
    connection.settimeout(seconds)
    try:
        return connection.recv(1) == b""
    except TimeoutError:
        return False


def _words(error: Exception) -> str:
    return (str(error) or type(error).__name__)[:_LONGEST_ANSWER]


def _not_ready(message: str) -> ProviderError:
    return ProviderError(ProviderErrorKind.NOT_READY, f"not ready: {message}")

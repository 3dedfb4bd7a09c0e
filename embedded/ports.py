"""Free loopback ports, kept from one start to the next and held against other starts meanwhile.

Called by the supervisor. A held socket is bound but does not listen: with SO_REUSEADDR the server behind it can
still bind and listen, while nobody else is given the port. The API's socket listens here, so that requests wait
instead of failing while the API is restarted.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass

from embedded.errors import PortTakenError

LOOPBACK = "127.0.0.1"
_TRIES = 200
_BACKLOG = 512


@dataclass(frozen=True)
class Want:
    """A port by its purpose. `fixed`: the user asked for this very one."""

    name: str
    preferred: int
    fixed: bool = False
    listens: bool = False


@dataclass(frozen=True)
class Held:
    port: int
    socket: socket.socket


def hold(want: Want, remembered: int | None = None) -> Held:
    """The remembered port, else the preferred one, else the next free one."""
    if want.fixed:
        held = _try(want.preferred, want, strict=False)
        if held is None:
            raise PortTakenError(
                f"port {want.preferred} is taken by another program; choose another --port, or leave it out"
            )
        return held
    if remembered is not None and (held := _try(remembered, want, strict=False)):
        return held
    for port in range(want.preferred, min(want.preferred + _TRIES, 65536)):
        if held := _try(port, want, strict=True):
            return held
    raise PortTakenError(f"no free port for {want.name} from {want.preferred} on")


def is_free(port: int) -> bool:
    held = _try(port, Want("probe", port), strict=True)
    if held is not None:
        held.socket.close()
    return held is not None


def _try(port: int, want: Want, strict: bool) -> Held | None:
    """`strict` also refuses a port that another start holds. Our own old port may still linger in TIME_WAIT."""
    if strict and not _binds_alone(port):
        return None
    candidate = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        candidate.bind((LOOPBACK, port))
        if want.listens:
            candidate.listen(_BACKLOG)
    except OSError:
        candidate.close()
        return None
    return Held(port, candidate)


def _binds_alone(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True

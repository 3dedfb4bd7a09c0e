"""TCP ports of this machine: whether one can be bound, who listens there, and who is in the way.

Called by the process provider. Reads /proc/net instead of connecting, so that no server logs a strange client.
"""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from pathlib import Path

_LISTEN = "0A"
_LOOPBACK_OR_ANY = frozenset({"00000000", "0100007F", "0" * 32, "0" * 16 + "FFFF00000100007F"})


@dataclass(frozen=True)
class Listener:
    port: int
    uid: int
    inode: str


def can_bind(port: int, address: str = "127.0.0.1") -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do: TIME_WAIT is not "taken"
        try:
            probe.bind((address, port))
        except OSError:
            return False
    return True


def listeners(port: int) -> list[Listener]:
    """The sockets of every user that accept connections for 127.0.0.1 on this port."""
    found = []
    for table in ("tcp", "tcp6"):
        try:
            lines = Path("/proc/net", table).read_text().splitlines()[1:]
        except FileNotFoundError:  # a kernel without IPv6
            continue
        for line in lines:
            fields = line.split()
            address, number = fields[1].rsplit(":", 1)
            if fields[3] == _LISTEN and int(number, 16) == port and address in _LOOPBACK_OR_ANY:
                found.append(Listener(port, int(fields[7]), fields[9]))
    return found


def holder(port: int) -> str:
    """Who listens there, as far as we may see: `pid 12, name`, or `uid 33`, or what else is known."""
    found = listeners(port)
    if not found:
        return "not visible to this user"
    sockets = {f"socket:[{listener.inode}]" for listener in found}
    for process in Path("/proc").iterdir():
        if process.name.isdigit() and _holds(process, sockets):
            return f"pid {process.name}, {_name(process)}"
    return f"uid {found[0].uid}"


def _holds(process: Path, sockets: set[str]) -> bool:
    try:
        return any(os.readlink(handle) in sockets for handle in (process / "fd").iterdir())  # noqa: PTH115
    except OSError:  # it ended, or it is not ours to look into
        return False


def _name(process: Path) -> str:
    try:
        return (process / "comm").read_text().strip()
    except OSError:
        return "just ended"

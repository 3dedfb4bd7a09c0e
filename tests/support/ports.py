"""Ports for servers that a test starts: of a range from which the kernel takes none for outgoing connections.

A port that the kernel has given (`bind` to 0) may be the local end of somebody's connection by the time the server
listens there, or while a killed one is away.
"""

from __future__ import annotations

import random
import socket
from collections.abc import Iterator
from contextlib import contextmanager

_FIRST, _LAST = 11_000, 14_999
_RANGES = range(20_000, 27_000, 100)


def free_ports(count: int) -> list[int]:
    """Ports that nobody uses now, all different."""
    found: list[int] = []
    for port in random.sample(range(_FIRST, _LAST + 1), _LAST + 1 - _FIRST):
        if len(found) == count:
            break
        if _is_free(port):
            found.append(port)
    assert len(found) == count, f"no {count} ports are free from {_FIRST} to {_LAST}"
    return found


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("0.0.0.0", port))
        except OSError:
            return False
    return True


@contextmanager
def own_ports() -> Iterator[int]:
    """The first of a hundred ports that no other Berth of a test gives to its instances meanwhile."""
    with socket.socket(socket.AF_UNIX) as claim:  # its name is free again when this process ends, however it does
        yield next(first for first in random.sample(_RANGES, len(_RANGES)) if _claimed(claim, first))


def _claimed(claim: socket.socket, first: int) -> bool:
    try:
        claim.bind(f"\0berth-test-ports-{first}")
    except OSError:
        return False
    return True

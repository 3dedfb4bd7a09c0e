"""What one project may have at once, and how often one may ask. Pure; the records are counted in acceptance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

UNLIMITED = -1


@dataclass(frozen=True)
class Limits:
    """Of one project; -1: no limit."""

    instances: int = UNLIMITED
    cpu: float = UNLIMITED
    memory_mb: int = UNLIMITED
    disk_gb: int = UNLIMITED
    unfinished_operations: int = UNLIMITED
    sockets: int = UNLIMITED

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """Of all limits."""
        return tuple(field.name for field in fields(cls))


@dataclass(frozen=True)
class Bounds:
    """What bounds a request from outside. What Berth asks of itself is not bounded."""

    limits: Limits = Limits()
    """The installation's; a project's own ones come first."""
    actions: int = 0
    """How often a minute one kind of operation may be asked for on one deployment; 0: no limit."""
    no_room: str | None = None
    """Why nothing new is accepted just now."""


@dataclass(frozen=True)
class Excess:
    """A limit that a request would break."""

    name: str
    allowed: float
    used: float
    asked: float


def excess(limits: Mapping[str, float], total: Mapping[str, float], asked: Mapping[str, float]) -> Excess | None:
    """The first limit that `total`, in which `asked` is counted, breaks. Asking for no more breaks none."""
    for name, allowed in limits.items():
        more = asked.get(name, 0)
        if allowed != UNLIMITED and more > 0 and total[name] > allowed:
            return Excess(name, allowed, total[name] - more, more)
    return None

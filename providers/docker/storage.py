"""Whether the daemon's storage can limit a container's disk, asked of it once."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from providers.docker.engine import Engine

_DRIVERS = frozenset({"btrfs", "zfs", "devicemapper", "windowsfilter"})
_UNENFORCED = "disk_gb is recorded, not enforced: Docker's storage here ({0}) has no quota"
_PARTLY = "disk_gb limits what the container writes outside its volumes"


class Storage:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def enforceable(self, disk_gb: int | None) -> int | None:
        """The limit, where it can be one."""
        return disk_gb if disk_gb is not None and self._driver in _DRIVERS else None

    def note(self, disk_gb: int | None) -> str | None:
        """What a person must know of the limit that was asked for."""
        if disk_gb is None:
            return None
        return _PARTLY if self._driver in _DRIVERS else _UNENFORCED.format(self._driver)

    @cached_property
    def _driver(self) -> str:
        found: dict[str, Any] = self._engine.ask(lambda api: api.info())
        return str(found.get("Driver", "unknown"))

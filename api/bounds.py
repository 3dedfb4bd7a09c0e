"""What bounds requests just now: the installation's limits, and whether there is room on the disk."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass, field

from domain.bounds import Bounds, Limits
from settings import Settings

_LOOK_SECONDS = 2.0
_MB = 1024 * 1024


@dataclass
class BoundsNow:
    """Asked for every change; the disk is looked at every two seconds."""

    settings: Settings
    _known: Bounds | None = None
    _looked_at: float = field(default=0.0)

    def now(self) -> Bounds:
        """The bounds of this moment."""
        if self._known is None or time.monotonic() - self._looked_at > _LOOK_SECONDS:
            self._looked_at = time.monotonic()
            self._known = Bounds(limits_in(self.settings), self.settings.rate_actions, self._no_room())
        return self._known

    def _no_room(self) -> str | None:
        free, needed = shutil.disk_usage(self.settings.data_dir).free // _MB, self.settings.low_disk_mb
        if free >= needed:
            return None
        return (
            f"The disk of the data directory has {free} MB left, less than {needed} MB; delete what is not needed."
        )


def limits_in(settings: Settings) -> Limits:
    """The installation's limits of a project."""
    return Limits(**{name: getattr(settings, f"limit_{name}") for name in Limits.names()})

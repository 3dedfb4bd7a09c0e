"""How much slower than alone everything goes here: a bound of a test is about Berth, not about the machine."""

from __future__ import annotations

import os
from pathlib import Path

_MOST = 4.0
_LOAD = Path("/proc/loadavg")


def busy() -> float:
    """1 on a machine with time to spare, more where more wants to run than there are processors for."""
    return min(_MOST, max(1.0, _wanting() / (os.cpu_count() or 1)))


def _wanting() -> float:
    """How many want to run: over the last minute, which knows nothing of a load that has just begun, or now."""
    minute, _, _, now, _ = _LOAD.read_text().split()
    return max(float(minute), float(now.partition("/")[0]))

"""How much slower than alone everything goes here: a bound of a test is about Berth, not about the machine."""

from __future__ import annotations

import os

_MOST = 4.0


def busy() -> float:
    """1 on a machine with time to spare, more where more wants to run than there are processors for."""
    return min(_MOST, max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1)))

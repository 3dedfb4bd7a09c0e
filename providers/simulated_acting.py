"""What a scripted fault does before the effect: it refuses the call, or takes its time.

Used by `providers/simulated.py` alone.
"""

from __future__ import annotations

import time

from domain.errors import ProviderError, ProviderErrorKind
from domain.work import Call, Work
from providers.base import PreviousGone
from providers.simulated_faults import Fault, FaultKind

_STEP_SECONDS = 0.05
_DEFAULT_SECONDS = 1.0
_LONGEST_HANG = 86_400.0


def refuse(fault: Fault, work: Work) -> None:
    kinds = {
        FaultKind.ERROR: ProviderErrorKind.TRANSIENT,
        FaultKind.INVALID: ProviderErrorKind.INVALID,
        FaultKind.NO_CAPACITY: ProviderErrorKind.NO_CAPACITY,
        FaultKind.THROTTLED: ProviderErrorKind.THROTTLED,
    }
    if fault.kind is FaultKind.USED_UP:
        raise PreviousGone(work.name)
    if fault.kind in kinds:
        wait = seconds_of(fault) if fault.kind is FaultKind.THROTTLED else None
        message = f"simulated {fault.kind.value} in {fault.verb.value} of {work.name}"
        raise ProviderError(kinds[fault.kind], message, retry_after=wait)


def dawdle(fault: Fault, call: Call) -> None:
    """Take the fault's time in small steps, so that a cancelled operation does not wait for the end of it."""
    if fault.kind is FaultKind.SLOW:
        seconds = seconds_of(fault)
    elif fault.kind is FaultKind.HANG:
        seconds = _LONGEST_HANG if fault.seconds is None else fault.seconds
    else:
        return
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        call.sleep(min(left, _STEP_SECONDS))


def seconds_of(fault: Fault) -> float:
    return _DEFAULT_SECONDS if fault.seconds is None else fault.seconds

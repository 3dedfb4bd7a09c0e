"""Ending an instance's processes, and proving that none is left.

Every wait is bounded; every signal goes to a process that was checked to be the instance's own.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable

from domain.errors import ProviderError, ProviderErrorKind
from domain.work import Call
from providers.process.locks import try_lock
from providers.process.members import INITIALISE, Member, members
from providers.process.places import Place
from providers.process.record import Ending
from system import processes
from system.processes import ProcessFacts, ProcessId

_ABORT_SECONDS = 5.0
_LEFTOVER_GRACE_SECONDS = 2.0
_PROOF_SECONDS = 10.0
_FIRST_STEP, _LONGEST_STEP, _LEFTOVER_STEP = 0.005, 0.1, 0.02


def end(main: ProcessFacts, ending: Ending, call: Call, reaped: Callable[[ProcessId], None]) -> None:
    """Ask, then insist, then kill; return when the process is gone. Leftover children are `claim_life`'s part."""
    steps = [(ending.signal, ending.seconds)]
    if ending.abort_signal is not None:
        steps.append((ending.abort_signal, _ABORT_SECONDS))
    steps.append((signal.SIGKILL, _ABORT_SECONDS))
    for number, seconds in steps:
        call.guard()
        if not processes.send_signal(main.id, main.uid, number):
            break
        if main.paused:  # a paused process takes the signal when it goes on
            processes.send_signal(main.id, main.uid, signal.SIGCONT)
        if wait_until_gone(main.id, seconds, call, reaped):
            break
        call.progress(f"it did not end within {seconds:g} s of {signal.Signals(number).name}")
    reaped(main.id)


def wait_until_gone(process: ProcessId, seconds: float, call: Call, reaped: Callable[[ProcessId], None]) -> bool:
    deadline, step = time.monotonic() + seconds, _FIRST_STEP
    while processes.find(process) is not None:
        if time.monotonic() > deadline:
            return False
        call.sleep(step)
        step = min(step * 1.5, _LONGEST_STEP)
    reaped(process)
    return True


def claim_life(place: Place, uid: int, call: Call) -> int:
    """The life lock, once no process of the instance is left: what an interrupted attempt left is ended here.

    Returns a handle to be closed by the caller. Raises when something holds on to the lock and cannot be found.
    """
    started = time.monotonic()
    while True:
        handle = try_lock(place.life_lock)
        left = members(place.instance_id, uid, place.data)
        if handle is not None and not left:
            return handle
        if handle is not None:
            os.close(handle)
        waited = time.monotonic() - started
        if waited > _PROOF_SECONDS:
            names = ", ".join(f"pid {member.facts.id.pid}" for member in left) or "an unknown process"
            raise ProviderError(ProviderErrorKind.TRANSIENT, f"{names} of this instance does not end")
        _kill_leftovers(left, waited, call)
        call.sleep(_LEFTOVER_STEP)


def _kill_leftovers(left: list[Member], waited: float, call: Call) -> None:
    """An interrupted initialisation is killed at once; a server's children first may end by themselves."""
    for member in left:
        if member.step == INITIALISE or waited > _LEFTOVER_GRACE_SECONDS:
            call.guard()
            processes.send_signal(member.facts.id, member.facts.uid, signal.SIGKILL)

"""Verbs in a process of its own that is killed with SIGKILL: at a guard, after the last effect, at any moment.

The processes are forked from a clean server that has imported what they need; so one costs a few hundredths of a
second, and no thread or connection of the tests is in them.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterable
from typing import NoReturn

from domain.work import Work
from providers.base import Provider
from tests.conformance.base import Harness, Verb
from tests.conformance.harnesses import HARNESSES
from tests.support.calls import RecordingCall

_CONTEXT = multiprocessing.get_context("forkserver")
_LONGEST = 120.0


def prepare(names: Iterable[str]) -> None:
    """Have the server import what the harnesses of these names need. Before the first crash only."""
    modules = {module for name in names for module in HARNESSES[name].preload}
    _CONTEXT.set_forkserver_preload(["pytest", __name__, *sorted(modules)])


class KillingCall(RecordingCall):
    def __init__(self, at: int) -> None:
        super().__init__()
        self._at = at

    def guard(self) -> None:
        super().guard()
        if self.guards == self._at:
            _die()


def _die() -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("unreachable")


def _attempt(opener: Callable[[], Provider], verb: Verb, work: Work, at: int) -> None:
    getattr(opener(), verb)(work, KillingCall(at))
    _die()  # done, and nobody was told


def killed_at_guard(harness: Harness, work: Work, verb: Verb, at: int) -> None:
    """The verb is killed at its `at`-th guard (from 1), or after its last effect when it has fewer."""
    process = _started(harness, work, verb, at)
    process.join(_LONGEST)
    _ended_by_kill(process)


def killed_after(harness: Harness, work: Work, verb: Verb, seconds: float) -> None:
    """The verb is killed so long after its process began, wherever it is then."""
    process = _started(harness, work, verb, 0)
    time.sleep(seconds)
    process.kill()
    process.join(_LONGEST)
    _ended_by_kill(process)


def _started(harness: Harness, work: Work, verb: Verb, at: int) -> multiprocessing.context.ForkServerProcess:
    process = _CONTEXT.Process(
        target=_attempt, args=(harness.opener(work.identity.server_id), verb, work, at), daemon=True
    )
    process.start()
    return process


def _ended_by_kill(process: multiprocessing.context.ForkServerProcess) -> None:
    assert process.exitcode == -signal.SIGKILL, f"the attempt ended with {process.exitcode}; see its error above"
    process.close()

"""Workers as real subprocesses, and waiting with a deadline."""

from __future__ import annotations

import signal
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.support.patience import busy

_READY_SECONDS = 90.0
_SHORTEST_TICK, _LONGEST_TICK = 0.01, 0.05


@dataclass
class WorkerProcess:
    """`python -m worker`, or another entry that wraps it."""

    process: subprocess.Popen[bytes]
    log: Path

    @property
    def pid(self) -> int:
        return self.process.pid

    def wait_until(self, said: str, seconds: float = _READY_SECONDS) -> None:
        """Wait until the worker has logged `said`."""
        wait_for(lambda: said in self.log.read_text(), seconds, f"worker did not say {said!r}", self._alive)

    def kill(self) -> None:
        """SIGKILL, as a lost machine looks."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)

    def stop(self) -> int:
        """SIGTERM; returns the exit code."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(40)
            except subprocess.TimeoutExpired:
                self.kill()
        return int(self.process.returncode)

    def _alive(self) -> None:
        assert self.process.poll() is None, f"the worker ended: {self.log.read_text()[-3000:]}"


def wait_for(
    reached: Callable[[], bool],
    seconds: float,
    otherwise: str | Callable[[], str],
    meanwhile: Callable[[], None] = lambda: None,
) -> None:
    """Wait for a condition, at most so long; longer where more wants to run than there are processors for."""
    begun, patience = time.monotonic(), 1.0
    while not reached():
        meanwhile()
        patience = max(patience, busy())  # others may begin to want the processors while we wait
        in_time = time.monotonic() < begun + seconds * patience
        assert in_time, otherwise if isinstance(otherwise, str) else otherwise()
        # Many wait at once, and each look costs what is waited for its time: the longer it lasts, the less often.
        time.sleep(min(_LONGEST_TICK, max(_SHORTEST_TICK, (time.monotonic() - begun) / 10)))


class Kept:
    """A worker that is started again whenever it dies, as a supervisor would."""

    def __init__(self, start: Callable[[], WorkerProcess]) -> None:
        self._start = start
        self._stopping = threading.Event()
        self.current = start()
        self._thread = threading.Thread(target=self._keep, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join(_READY_SECONDS)  # it may wait for one that has just been started
        self.current.kill()

    def _keep(self) -> None:
        while not self._stopping.wait(0.05):
            if self.current.process.poll() is not None:
                self.current = self._start()

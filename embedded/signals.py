"""Wait for a moment, a signal or a child's death, whichever comes first, without a second thread.

Called by the supervisor, which must not have threads: its children are tied to the thread that spawned them.
"""

from __future__ import annotations

import select
import signal
import socket
from types import FrameType, TracebackType
from typing import Any

_STOP = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Signals:
    """Context manager. `stop_requests` counts what asked us to stop since its start."""

    def __init__(self) -> None:
        self.stop_requests = 0
        self._before: dict[signal.Signals, Any] = {}
        self._reader, self._writer = socket.socketpair()

    def __enter__(self) -> Signals:
        self._reader.setblocking(False)
        self._writer.setblocking(False)
        for number in (*_STOP, signal.SIGCHLD):
            self._before[number] = signal.signal(number, self._note)
        self._old_wakeup = signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        signal.set_wakeup_fd(self._old_wakeup)
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._reader.close()
        self._writer.close()

    def wait(self, seconds: float) -> None:
        if select.select([self._reader], [], [], seconds)[0]:
            self._reader.recv(4096)

    def _note(self, number: int, frame: FrameType | None) -> None:
        del frame
        if number in _STOP:
            self.stop_requests += 1

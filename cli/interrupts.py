"""Ctrl-C while waiting: it must not get lost in a place where Python swallows exceptions, such as a destructor."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def heeding_interrupts() -> Iterator[threading.Event]:
    """Within the block a Ctrl-C raises `KeyboardInterrupt` as always, and also sets the event that is given."""
    interrupted = threading.Event()

    def note(_number: int, _frame: FrameType | None) -> None:
        interrupted.set()
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, note)
    try:
        yield interrupted
    finally:
        signal.signal(signal.SIGINT, before)

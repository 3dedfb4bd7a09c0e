"""Which process is meant: a pid alone is reused by the kernel, so it never suffices to find or to end one.

Called by the supervisor and by whatever keeps detached processes. Linux only: it reads /proc and signals by pidfd.
"""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

_PROC = Path("/proc")
_DEAD_STATES = frozenset("ZXx")


@dataclass(frozen=True)
class ProcessIdentity:
    """One process for all time: start time is in clock ticks since the boot that `boot_id` names."""

    pid: int
    start_time: int
    boot_id: str

    def as_record(self) -> dict[str, Any]:
        return {"pid": self.pid, "start_time": self.start_time, "boot_id": self.boot_id}

    @staticmethod
    def from_record(record: Mapping[str, Any]) -> ProcessIdentity:
        return ProcessIdentity(int(record["pid"]), int(record["start_time"]), str(record["boot_id"]))


@lru_cache
def boot_id() -> str:
    return (_PROC / "sys/kernel/random/boot_id").read_text().strip()


def identify(pid: int) -> ProcessIdentity | None:
    """The living process with this pid; None when there is none. A zombie is dead: PID 1 may reap it late."""
    fields = _stat(pid)
    if fields is None or fields[0] in _DEAD_STATES:
        return None
    return ProcessIdentity(pid, int(fields[19]), boot_id())


def is_zombie(pid: int) -> bool:
    """Dead, but not yet collected by its parent: other programs still see the pid in use."""
    fields = _stat(pid)
    return fields is not None and fields[0] in _DEAD_STATES


def is_alive(process: ProcessIdentity) -> bool:
    return process == identify(process.pid)


def send_signal(process: ProcessIdentity, number: signal.Signals) -> bool:
    """Signal exactly this process. False when it is gone."""
    try:
        handle = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return False
    try:
        if not is_alive(process):  # checked after the pidfd was taken: from here on the pid cannot be another's
            return False
        signal.pidfd_send_signal(handle, number)
        return True
    except ProcessLookupError:
        return False
    finally:
        os.close(handle)


def wait_until_gone(process: ProcessIdentity, seconds: float) -> bool:
    """Whether it ended in time. Works for processes that are not our children."""
    deadline = time.monotonic() + seconds
    try:
        handle = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return True
    try:
        while is_alive(process):
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            select.select([handle], [], [], left)
        return True
    finally:
        os.close(handle)


def end(process: ProcessIdentity, *steps: tuple[signal.Signals, float]) -> bool:
    """Try each signal in turn and wait its seconds; whether the process is gone at the end."""
    for number, seconds in steps:
        if not send_signal(process, number) or wait_until_gone(process, seconds):
            return True
    return not is_alive(process)


def processes_where(wanted: Callable[[Path], bool]) -> list[ProcessIdentity]:
    """Living processes whose /proc folder satisfies `wanted`; those that vanish meanwhile do not count."""
    found = []
    for folder in _PROC.iterdir():
        if not folder.name.isdigit():
            continue
        try:
            process = identify(int(folder.name)) if wanted(folder) else None
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
        if process is not None:
            found.append(process)
    return found


def _stat(pid: int) -> list[str] | None:
    """The fields after the command's name, which may itself hold spaces and brackets."""
    try:
        text = (_PROC / str(pid) / "stat").read_text(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    return text[text.rindex(")") + 2 :].split()

"""Processes that are not our children any more: whether they live, waiting for their end, ending them.

Called for what a killed supervisor left behind and by `berth down`, over the identities of `system.processes`.
"""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Mapping
from typing import Any

from system.processes import ProcessId, find, look, send_signal


def identify(pid: int) -> ProcessId | None:
    """The living process with this pid. A zombie is dead: PID 1 may collect it late."""
    facts = look(pid)
    return facts.id if facts is not None and not facts.ended else None


def is_alive(process: ProcessId) -> bool:
    return find(process) is not None


def is_zombie(pid: int) -> bool:
    """Dead, but its pid is still in use: other programs take it for alive."""
    facts = look(pid)
    return facts is not None and facts.ended


def wait_until_gone(process: ProcessId, seconds: float) -> bool:
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


def end(process: ProcessId, *steps: tuple[signal.Signals, float]) -> bool:
    """Try each signal in turn and wait its seconds; whether the process is gone at the end."""
    for number, seconds in steps:
        facts = find(process)
        if facts is None or not send_signal(process, facts.uid, number):
            return True
        if wait_until_gone(process, seconds):
            return True
    return not is_alive(process)


def as_record(process: ProcessId) -> dict[str, Any]:
    return {"pid": process.pid, "start_time": process.start_time, "boot_id": process.boot_id}


def from_record(record: Mapping[str, Any]) -> ProcessId:
    return ProcessId(int(record["pid"]), int(record["start_time"]), str(record["boot_id"]))

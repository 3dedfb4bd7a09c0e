"""Processes by identity – pid, start time and boot id – never by a bare number, which the kernel gives away again.

Called by the process provider. Linux only: it reads /proc and signals through pidfds. A zombie counts as ended:
PID 1 may take seconds to reap, and some never do.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

_PROC = Path("/proc")
_MOST_ENVIRONMENT = 1 << 20


class ForeignProcessError(RuntimeError):
    """The process runs as another OS user than the one we started it as: it is not ours to signal."""


@dataclass(frozen=True)
class ProcessId:
    """One process of one boot. `start_time` is in clock ticks since that boot."""

    pid: int
    start_time: int
    boot_id: str


@dataclass(frozen=True)
class ProcessFacts:
    id: ProcessId
    parent: int
    uid: int
    state: str

    @property
    def ended(self) -> bool:
        return self.state in "ZX"

    @property
    def paused(self) -> bool:
        return self.state in "Tt"


@dataclass(frozen=True)
class Spawn:
    """What a new process gets; it inherits nothing else. `keep` are file descriptors it holds for life."""

    arguments: Sequence[str]
    environment: Mapping[str, str]
    directory: Path
    output: int
    user: Mapping[str, Any]
    stdin: int = subprocess.DEVNULL
    keep: tuple[int, ...] = ()


@lru_cache
def boot_id() -> str:
    return (_PROC / "sys/kernel/random/boot_id").read_text().strip()


def is_supported() -> bool:
    """Whether this system has what the identity and the signals of a process need."""
    return hasattr(os, "pidfd_open") and _PROC.joinpath("self/stat").exists()


def look(pid: int) -> ProcessFacts | None:
    """What /proc says of `pid` now; None when there is no such process."""
    try:
        stat = (_PROC / str(pid) / "stat").read_text(errors="replace")
        status = (_PROC / str(pid) / "status").read_text(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The name stands in brackets and may hold anything; the fields after it count from 3.
    fields = stat[stat.rindex(")") + 2 :].split()
    uid = next(line for line in status.splitlines() if line.startswith("Uid:")).split()[2]
    return ProcessFacts(ProcessId(pid, int(fields[19]), boot_id()), int(fields[1]), int(uid), fields[0])


def find(process: ProcessId) -> ProcessFacts | None:
    """This very process while it lives."""
    facts = look(process.pid)
    return facts if facts is not None and facts.id == process and not facts.ended else None


def every(uid: int | None = None) -> Iterator[ProcessFacts]:
    """Every living process, or those of one OS user."""
    for entry in os.listdir(_PROC):  # noqa: PTH208 - runs often; names are enough
        if not entry.isdigit():
            continue
        facts = look(int(entry))
        if facts is not None and not facts.ended and uid in (None, facts.uid):
            yield facts


def environment(process: ProcessId) -> dict[str, str]:
    """The environment it was started with; empty when it is gone or not ours to read."""
    try:
        with (_PROC / str(process.pid) / "environ").open("rb") as file:
            raw = file.read(_MOST_ENVIRONMENT)
    except OSError:
        return {}
    if find(process) is None:  # the pid may have changed hands while we read
        return {}
    pairs = (item.partition(b"=") for item in raw.split(b"\0") if b"=" in item)
    return {os.fsdecode(name): os.fsdecode(value) for name, _, value in pairs}


def working_directory(process: ProcessId) -> Path | None:
    try:
        return (_PROC / str(process.pid) / "cwd").readlink()
    except OSError:
        return None


def send_signal(process: ProcessId, uid: int, number: int) -> bool:
    """Signal this very process; False when it is gone. Raises `ForeignProcessError` for another user's."""
    try:
        handle = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return False
    try:
        facts = find(process)  # after opening: from here on the handle cannot mean another process
        if facts is None:
            return False
        if facts.uid != uid:
            raise ForeignProcessError(f"process {process.pid} runs as uid {facts.uid}, not {uid}")
        signal.pidfd_send_signal(handle, number)
    except ProcessLookupError:
        return False
    finally:
        os.close(handle)
    return True


def spawn(what: Spawn) -> ProcessId:
    """Start a process in a session of its own, which outlives us. Raises `OSError` when it cannot be executed."""
    child = subprocess.Popen(
        list(what.arguments),
        env=dict(what.environment),
        cwd=what.directory,
        stdin=what.stdin,
        stdout=what.output,
        stderr=subprocess.STDOUT,
        pass_fds=what.keep,
        start_new_session=True,
        umask=0o077,
        **what.user,
    )
    # Popen warns about a child it was not asked to wait for. Ours is meant to go on; `reap` waits by pid.
    child.returncode = 0
    facts = look(child.pid)
    if facts is None:  # only where SIGCHLD is ignored and the child ended at once
        raise ChildProcessError(f"{what.arguments[0]} ended at once")
    return facts.id


def reap(process: ProcessId) -> int | None:
    """The exit code of our own ended child, 128+n for signal n. None: it lives, or it is not our child."""
    try:
        pid, status = os.waitpid(process.pid, os.WNOHANG)
    except ChildProcessError:
        return None
    if pid == 0:
        return None
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code

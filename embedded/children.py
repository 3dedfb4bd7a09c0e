"""One child process of the supervisor: how it is started, logged, restarted after its death, and ended.

Called by the supervisor, from its main thread only: PR_SET_PDEATHSIG fires when the thread that spawned ends.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from embedded import lives
from system.processes import ProcessId, boot_id

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True)
_LONGEST_PAUSE = 30.0
_STEADY_SECONDS = 60.0
_LOG_BYTES = 10 * 1024 * 1024


@dataclass(frozen=True)
class Child:
    """What to run. `drain_seconds`: how long it may take after `drain_signal` before it is killed."""

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str] = field(repr=False)
    log: Path
    drain_signal: signal.Signals = signal.SIGTERM
    drain_seconds: float = 10.0
    pass_fds: tuple[int, ...] = ()
    gated: bool = False
    """It loads its modules at once and begins its work when `Running.open_gate` is called."""


class Running:
    """A started child."""

    def __init__(self, child: Child) -> None:
        self.child = child
        self.started_at = time.monotonic()
        self._popen = _spawn(child)
        identity = lives.identify(self._popen.pid)
        # A child that is a zombie already cannot be identified and needs no more than its pid.
        self.identity = identity or ProcessId(self._popen.pid, 0, boot_id())

    @property
    def pid(self) -> int:
        return self._popen.pid

    def exit_code(self) -> int | None:
        return self._popen.poll()

    def open_gate(self) -> None:
        if self._popen.stdin is None:
            return
        try:
            self._popen.stdin.write(b"go\n")
            self._popen.stdin.close()
        except BrokenPipeError:
            return  # it died while loading; the supervisor's loop sees its exit code
        finally:
            self._popen.stdin = None

    def close_gate(self) -> None:
        """Let it go without having done anything."""
        if self._popen.stdin is not None:
            self._popen.stdin.close()
            self._popen.stdin = None

    def ask_to_end(self) -> None:
        self._popen.send_signal(self.child.drain_signal)

    def kill(self) -> None:
        self._popen.kill()

    def wait(self, seconds: float) -> bool:
        try:
            self._popen.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def end(self) -> None:
        """Drain, then kill."""
        self.ask_to_end()
        if not self.wait(self.child.drain_seconds):
            self.kill()
            self.wait(5.0)


class Backoff:
    """When a dead child may start again: at once the first time, then after growing pauses."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.deaths = 0
        self._clock = clock
        self._not_before = 0.0

    def died(self, lived_seconds: float) -> None:
        self.deaths = 1 if lived_seconds > _STEADY_SECONDS else self.deaths + 1
        pause = 0.0 if self.deaths == 1 else min(0.5 * 2 ** (self.deaths - 2), _LONGEST_PAUSE)
        self._not_before = self._clock() + pause

    def is_due(self) -> bool:
        return self._clock() >= self._not_before


def bound_log(path: Path) -> None:
    """Keep one older generation. Writers hold the file open for appending, so it is copied and emptied."""
    try:
        if path.stat().st_size <= _LOG_BYTES:
            return
    except FileNotFoundError:
        return
    older = path.with_suffix(".1.log")
    older.unlink(missing_ok=True)
    handle = os.open(older, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with path.open("rb") as source, os.fdopen(handle, "wb") as target:
        while chunk := source.read(1024 * 1024):
            target.write(chunk)
    os.truncate(path, 0)


def open_log(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)


def last_lines(path: Path, count: int = 8) -> str:
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - 8192))
            lines = file.read().decode(errors="replace").splitlines()
    except FileNotFoundError:
        return ""
    return "\n".join(lines[-count:])


def _spawn(child: Child) -> subprocess.Popen[bytes]:
    log = open_log(child.log)
    try:
        return subprocess.Popen(
            child.argv,
            env=dict(child.env),
            cwd="/",
            stdin=subprocess.PIPE if child.gated else subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=child.pass_fds,
            start_new_session=True,  # Ctrl-C reaches the supervisor alone, which then ends them in order
            preexec_fn=_die_with(os.getpid()),  # noqa: PLW1509 - the supervisor has no other thread
        )
    finally:
        os.close(log)


def _die_with(parent: int) -> Callable[[], None]:
    """A killed supervisor takes the child along: a second one would start on the same files."""

    def arrange() -> None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died before the line above
            os._exit(1)

    return arrange

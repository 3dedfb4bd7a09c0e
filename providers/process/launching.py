"""Starting an instance's programs: as its own user, without a shell, with an environment built from nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from domain.errors import ProviderError, ProviderErrorKind
from domain.text import printable
from domain.work import Call, Command, Identity, ProcessRecipe
from providers.base import PortBusy
from providers.process import logs
from providers.process.disk import require_space
from providers.process.members import INITIALISE, RUN, identity_environment
from providers.process.places import Place, empty_data, mark_initialised
from providers.process.runtimes import Runtimes
from system import ports, processes
from system.processes import ProcessId, Spawn
from system.users import OsUser, is_root

_STEP_SECONDS = 0.01
_LISTENING_SECONDS = 3.0
_SETTLING_SECONDS = 0.05
_KILLED_SECONDS = 0.5
_LAST_WORDS = 3
_LEAST_MB = 4
_ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "TZ": "UTC"}


@dataclass(frozen=True)
class Launch:
    """One instance about to be started. `life` is the handle of its life lock, which every process inherits."""

    place: Place
    identity: Identity
    user: OsUser
    recipe: ProcessRecipe
    runtimes: Runtimes
    life: int
    port: int | None

    def initialise(self, call: Call) -> None:
        """Run the recipe's first commands in an empty data directory, unless they have all succeeded before."""
        if self.place.marker.exists():
            return
        require_space(self.place.home, self.recipe.free_disk_mb)
        call.guard()
        empty_data(self.place, self.user)
        for command in self.recipe.initialise:
            call.progress(f"running {command.program}")
            self._run_to_end(command, call)
        mark_initialised(self.place)

    def require_port(self) -> None:
        if self.port is not None and not ports.can_bind(self.port):
            raise PortBusy(self.port, ports.holder(self.port))

    def start(self, call: Call) -> ProcessId:
        if self.recipe.pid_file is not None:
            # Nobody lives: the life lock is ours. A stale file would stop the server, for its pid may be alive
            # again as somebody else's, or as a zombie.
            (self.place.data / Path(self.recipe.pid_file).name).unlink(missing_ok=True)
        call.guard()
        return self._spawn(self.recipe.run, RUN)

    def await_listening(self, process: ProcessId, since: int, call: Call) -> None:
        """Return when its port listens, or after a bounded time, for the probe to go on. Raises when it ends."""
        started = time.monotonic()
        while (waited := time.monotonic() - started) < _LISTENING_SECONDS:
            if processes.find(process) is None:
                code = processes.reap(process)
                require_space(self.place.home, _LEAST_MB)
                raise ProviderError(
                    ProviderErrorKind.TRANSIENT,
                    f"{self.recipe.run.program} ended at once"
                    f"{'' if code is None else f' with exit code {code}'}{self._last_words(since)}",
                )
            if self.port is None:
                if waited > _SETTLING_SECONDS:
                    return
            elif any(listener.uid == self.user.uid for listener in ports.listeners(self.port)):
                return
            call.sleep(_STEP_SECONDS)

    def _run_to_end(self, command: Command, call: Call) -> None:
        since = logs.size(self.place.output)
        process = self._spawn(command, INITIALISE)
        try:
            code = _wait(process, command.timeout_seconds, call)
        finally:
            if processes.send_signal(process, self.user.uid, signal.SIGKILL):
                _wait_shortly(process)
        if code != 0:
            how = "did not end in time" if code is None else f"failed with exit code {code}"
            require_space(self.place.home, self.recipe.free_disk_mb)
            raise ProviderError(ProviderErrorKind.TRANSIENT, f"{command.program} {how}{self._last_words(since)}")

    def _spawn(self, command: Command, step: str) -> ProcessId:
        program = self.runtimes.program(self.recipe.runtime, command.program)
        with ExitStack() as opened:
            output = logs.open_output(self.place.output)
            opened.callback(os.close, output)
            stdin = subprocess.DEVNULL
            if command.stdin is not None:
                stdin = _pipe_with(command.stdin, self.user)
                opened.callback(os.close, stdin)
            return processes.spawn(
                Spawn(
                    arguments=(str(program), *command.arguments),
                    environment={
                        **_ENVIRONMENT,
                        "HOME": str(self.place.data),
                        **self.recipe.environment,
                        **identity_environment(self.identity, step),
                    },
                    directory=self.place.data,
                    output=output,
                    user=self.user.spawn_arguments(),
                    stdin=stdin,
                    keep=(self.life,),
                )
            )

    def _last_words(self, since: int) -> str:
        said = logs.tail(self.place.output, _LAST_WORDS, since=since)
        return f": {' / '.join(printable(line).strip()[:300] for line in said)}" if said else ""


def _wait(process: ProcessId, seconds: float, call: Call) -> int | None:
    """Its exit code; None when it did not end in time, or was reaped by somebody else."""
    deadline = time.monotonic() + seconds
    while (code := processes.reap(process)) is None and time.monotonic() < deadline:
        if processes.find(process) is None:
            return processes.reap(process)
        call.sleep(_STEP_SECONDS)
    return code


def _wait_shortly(process: ProcessId) -> None:
    """Reap what was just killed; what takes longer is ended by the next attempt."""
    deadline = time.monotonic() + _KILLED_SECONDS
    while processes.reap(process) is None and time.monotonic() < deadline:
        time.sleep(_STEP_SECONDS)


def _pipe_with(text: str, user: OsUser) -> int:
    """The reading end of a pipe that holds `text`: a program can open it again as /dev/stdin, being its owner."""
    reading, writing = os.pipe()
    try:
        if is_root():
            os.fchown(reading, user.uid, user.gid)
        os.write(writing, text.encode())  # far below a pipe's capacity, so it cannot block
    finally:
        os.close(writing)
    return reading

"""A real Temporal dev server per test session, with the settings that `berth up` gives it.

Every Berth of a test works in a namespace of its own: task queues have fixed names. Namespaces are made when the
server starts, because only then the dev server gives them their search attributes.
"""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from embedded import temporal
from embedded.installation import Installation
from embedded.temporal import TemporalPorts
from embedded.temporal_cli import obtain
from settings import Settings
from tests.support.ports import free_ports

_NAMESPACES = 400
# Each has a worker for schedules and batches, which nobody uses here: those of 200 take an eighth of a core.
_WITHOUT_THEIR_WORKERS = ("--dynamic-config-value", "worker.perNamespaceWorkerCount=0")
_READY_SECONDS = 120.0


@dataclass
class TemporalServer:
    """The server, its program (also the operators' CLI), and what is left of its namespaces."""

    program: Path
    folder: Path
    ports: TemporalPorts
    namespaces: int = _NAMESPACES
    _used: int = 0
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def address(self) -> str:
        return self.ports.address

    def new_namespace(self) -> str:
        """A namespace that nobody has used yet."""
        assert self._used < self.namespaces, "raise the number of namespaces"
        self._used += 1
        return f"berth-{self._used}"

    def start(self) -> None:
        """Start it, or start it again on its database file after it was killed."""
        child = temporal.child(self.program, Installation(self.folder, "0"), self.ports, "berth-0")
        more = [word for n in range(1, self.namespaces + 1) for word in ("--namespace", f"berth-{n}")]
        log = (self.folder / "temporal.log").open("ab")
        with log:
            self._process = subprocess.Popen(
                [*child.argv, *more, *_WITHOUT_THEIR_WORKERS, "--headless"],
                env=dict(child.env),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + _READY_SECONDS
        while not all(temporal.answers(self.ports, f"berth-{n}") for n in (0, self.namespaces)):
            assert self._process.poll() is None, (self.folder / "temporal.log").read_text()[-2000:]
            assert time.monotonic() < deadline, "Temporal did not answer in time"
            time.sleep(0.05)

    def kill(self) -> None:
        """SIGKILL; `start` brings it back with what it had stored."""
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait(10)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """It takes connections and says nothing."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        if self._process is None or self._process.poll() is not None:
            return
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self.kill()

    def cli(self, namespace: str, *words: str) -> str:
        """Run `temporal …` as an operator would; returns what it printed."""
        command = [str(self.program), *words, "--address", self.address, "--namespace", namespace]
        done = subprocess.run(
            command,
            env={"HOME": str(self.folder), "PATH": "/usr/bin:/bin"},
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert done.returncode == 0, f"{' '.join(words)}: {done.stdout} {done.stderr}"
        return done.stdout


def make_server(folder: Path, namespaces: int = _NAMESPACES) -> TemporalServer:
    """A server on free ports, not yet started."""
    settings = Settings()
    program = obtain(settings.temporal_cli, settings.cache_dir, lambda text: None)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "logs").mkdir(exist_ok=True)
    return TemporalServer(program, folder, TemporalPorts(*free_ports(3)), namespaces)


@pytest.fixture(scope="session")
def temporal_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TemporalServer]:
    server = make_server(tmp_path_factory.mktemp("temporal"))
    try:
        server.start()
        yield server
    finally:
        server.stop()

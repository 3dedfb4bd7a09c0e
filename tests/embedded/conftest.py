"""A supervisor of our own per test, on a data directory that is purged afterwards."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from embedded.down import down
from embedded.installation import Installation, find_installation

_PASSED = ("HOME", "BERTH_CACHE_DIR", "BERTH_TEMPORAL_CLI", "PATH")


@dataclass
class Up:
    """One running supervisor."""

    process: subprocess.Popen[str]
    data_dir: Path
    progress: Path

    def event(self, seconds: float = 120.0) -> dict[str, Any]:
        """The next JSON line; fails the test when there is none."""
        assert self.process.stdout is not None
        if not select.select([self.process.stdout], [], [], seconds)[0]:
            pytest.fail(f"no event in {seconds} s: {self.progress.read_text()}")
        line = self.process.stdout.readline()
        if not line:
            pytest.fail(f"ended with {self.process.wait(60)}: {self.progress.read_text()}")
        return dict(json.loads(line))

    def ended(self, seconds: float = 120.0) -> tuple[int, str]:
        """Exit code and everything it said on stderr."""
        return self.process.wait(seconds), self.progress.read_text()

    @property
    def installation(self) -> Installation:
        found = find_installation(self.data_dir)
        assert found is not None
        return found


Starter = Callable[..., Up]
Standing = tuple[Up, dict[str, Any]]


@contextmanager
def purged(folder: Path) -> Iterator[Path]:
    """Afterwards processes, OS users and folders of the installation in `folder` are gone."""
    yield folder
    installation = find_installation(folder)
    if installation is not None:
        down(installation, purge=True, say=lambda text: None)


@contextmanager
def starting(data_dir: Path, notes: Path) -> Iterator[Starter]:
    """Start supervisors with stand-ins: `start("worker=dying_worker", "timeout=5")`."""
    started: list[Up] = []

    def starter(*arguments: str) -> Up:
        progress = notes / f"progress-{len(started)}"
        passed = {name: os.environ[name] for name in _PASSED if name in os.environ}
        command = [sys.executable, "-m", "tests.embedded.run_up", str(data_dir), *arguments]
        with progress.open("w") as sink:
            process = subprocess.Popen(command, env=passed, stdout=subprocess.PIPE, stderr=sink, text=True)
        started.append(Up(process, data_dir, progress))
        return started[-1]

    yield starter
    for up in started:
        _end(up.process)


def _end(process: subprocess.Popen[str]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(60)
    assert process.stdout is not None
    process.stdout.close()


@pytest.fixture
def data_dir(tmp_path: Path) -> Iterator[Path]:
    with purged(tmp_path / "data") as folder:
        yield folder


@pytest.fixture
def start(data_dir: Path, tmp_path: Path) -> Iterator[Starter]:
    with starting(data_dir, tmp_path) as starter:
        yield starter


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Standing]:
    """One running supervisor and its ready line, for tests that only look."""
    home = tmp_path_factory.mktemp("standing")
    with purged(home / "data") as folder, starting(folder, home) as starter:
        up = starter()
        yield up, up.event()


def wait_for(answered: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not answered():
        if time.monotonic() > deadline:
            pytest.fail("it did not happen in time")
        time.sleep(0.02)

"""Fixtures for tests that run real instances as processes: directories others can enter, users removed again."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from blueprints.base import Blueprint
from blueprints.registry import BLUEPRINTS
from domain.errors import ProviderError, ProviderErrorKind
from domain.work import Work
from providers.process import ProcessProvider
from providers.process.members import all_signed
from providers.process.users import user_name
from system import processes
from system.users import remove_user
from tests.support.calls import RecordingCall
from tests.support.ports import free_ports
from tests.support.works import a_work, verify

PROJECTS = ("default", "other")


@dataclass
class Workshop:
    """A process provider on a throw-away root, and the works made with it."""

    base: Path
    server_id: str
    provider: ProcessProvider

    @property
    def root(self) -> Path:
        return self.base / "instances"

    def work(self, blueprint: str = "web", params: dict[str, Any] | None = None, **changes: Any) -> Work:
        found = BLUEPRINTS[blueprint]
        made = a_work(
            server_id=self.server_id,
            blueprint=blueprint,
            params=params or {},
            port=changes.pop("port", None) or free_port(),
            secrets=found.new_secrets(),
            recipes=changes.pop("recipes", found),
            **changes,
        )
        assert made.identity.project in PROJECTS, "its OS user would stay behind"
        return made

    def create(self, work: Work) -> int:
        """Create it; returns the pid of its one process."""
        self.provider.create(work, RecordingCall())
        (pid,) = self.pids(work)
        return pid

    def ready(self, work: Work, seconds: float = 20.0) -> float:
        """Wait as an activity does: prepare, then probe, until it serves."""
        blueprint: Blueprint = BLUEPRINTS[work.blueprint]
        started = time.monotonic()
        while True:
            try:
                blueprint.prepare(work, RecordingCall())
                blueprint.probe(work, 2.0)
                return time.monotonic() - started
            except ProviderError as error:
                if error.kind is not ProviderErrorKind.NOT_READY or time.monotonic() - started > seconds:
                    raise
            time.sleep(0.01)

    def pids(self, work: Work) -> list[int]:
        """The main processes that live for this work, found as a stranger would."""
        found = [m for m in all_signed(self.server_id) if m.carries(work.identity)]
        pids = {member.facts.id.pid for member in found}
        return [member.facts.id.pid for member in found if member.facts.parent not in pids]


def another_provider(workshop: Workshop) -> ProcessProvider:
    """As after a restart of the worker: it knows only what is on disk and in /proc."""
    return ProcessProvider(
        root=workshop.root,
        runtime_root=_runtime_root(workshop.base),
        server_id=workshop.server_id,
        host_id="host_test",
        verify=verify,
    )


def free_port() -> int:
    return free_ports(1)[0]


def changed(work: Work, **params: Any) -> Work:
    return replace(work, params={**work.params, **params})


@pytest.fixture(scope="session")
def runtime_base() -> Iterator[Path]:
    """A directory that other users can enter. Its name ends as every server id of the session does: OS users are
    named after that end, so all tests share them. Making one takes a tenth of a second."""
    common = os.urandom(4).hex()
    base = Path("/var/tmp", f"berth-test-{common}")
    base.mkdir()
    base.chmod(0o711)
    yield base
    shutil.rmtree(base)
    for project in PROJECTS:
        remove_user(user_name(common, project))


@pytest.fixture
def workshop(runtime_base: Path) -> Iterator[Workshop]:
    base = Path(tempfile.mkdtemp(dir=runtime_base))
    base.chmod(0o711)
    server_id = os.urandom(4).hex() + runtime_base.name[-8:]
    made = Workshop(base, server_id, None)  # type: ignore[arg-type]
    made.provider = another_provider(made)
    yield made
    end_all(server_id)
    shutil.rmtree(base)


def end_all(server_id: str) -> None:
    """Kill every process that belongs to this Berth of a test."""
    for member in all_signed(server_id):
        processes.send_signal(member.facts.id, member.facts.uid, signal.SIGKILL)
        _wait_until_gone(member.facts.id)


def _runtime_root(base: Path) -> Path:
    return base.parent / "runtime"  # shared by the tests of a session: 80 MB


def _wait_until_gone(process: processes.ProcessId) -> None:
    deadline = time.monotonic() + 5
    while processes.find(process) is not None and time.monotonic() < deadline:
        processes.reap(process)
        time.sleep(0.01)

"""Every state that Docker knows, brought about with Docker's own means, and what Berth makes of it."""

from __future__ import annotations

import gc
import os
from dataclasses import replace
from pathlib import Path, PurePosixPath

import pytest

from domain.errors import ProviderError, ProviderErrorKind
from domain.work import Resources, Seen, Work
from providers.docker.container import container_of
from tests.support.docker import running_engine
from tests.support.docker_instances import Dock, a_command, a_web, options_for, wait_until
from tests.support.faulty_proxy import FaultyProxy

pytestmark = [pytest.mark.processes, pytest.mark.docker]


TOLD = "while [ ! -e /tmp/told ]; do sleep 0.05; done"
"""A program goes on to what it is to do when it is told, and so not while it is being created."""


def tell(dock: Dock, work: Work) -> None:
    dock.execute(work, "touch", "/tmp/told")


def test_what_runs_is_up_with_its_endpoint(dock: Dock) -> None:
    work = dock.created()
    found = dock.provider.observe(work)
    assert (found.seen, found.provider_state, found.generation) == (Seen.UP, "running", 1)
    assert found.provider_id == dock.container(work).id
    assert found.endpoint == f"127.0.0.1:{work.port}"


def test_what_is_paused_is_transient(dock: Dock) -> None:
    work = dock.created()
    dock.container(work).pause()
    found = dock.provider.observe(work)
    assert (found.seen, found.provider_state, found.detail) == (
        Seen.TRANSIENT,
        "paused",
        "the container is paused",
    )


@pytest.mark.parametrize(
    ("code", "seen"),
    [
        (0, Seen.DOWN),
        (137, Seen.DOWN),
        (143, Seen.DOWN),
        (1, Seen.CRASHED),
        (3, Seen.CRASHED),
        (255, Seen.CRASHED),
    ],
)
def test_an_exit_is_down_or_a_crash_by_its_code(dock: Dock, code: int, seen: Seen) -> None:
    work = dock.created(a_command("sh", "-c", f"{TOLD}; exit {code}"))
    tell(dock, work)
    found = wait_until(lambda: look if (look := dock.provider.observe(work)).seen is not Seen.UP else None)
    assert (found.seen, found.provider_state) == (seen, "exited")
    assert found.detail == f"it ended with exit code {code}"


def test_a_kill_from_outside_is_down_and_a_start_mends_it(dock: Dock) -> None:
    work = dock.created()
    dock.container(work).kill()
    found = wait_until(lambda: look if (look := dock.provider.observe(work)).seen is Seen.DOWN else None)
    assert found.detail == "it ended with exit code 137"
    assert dock.provider.start(work, dock.call).provider_state == "running"


def test_a_death_for_want_of_memory_is_a_crash_that_says_so(dock: Dock) -> None:
    hog = f"{TOLD}; x=$(head -c 100000000 /dev/zero | tr '\\0' x); echo ${{#x}}"
    work = dock.created(a_command("sh", "-c", hog), resources=Resources(memory_mb=32))
    tell(dock, work)
    found = wait_until(lambda: look if (look := dock.provider.observe(work)).seen is not Seen.UP else None)
    assert found.seen is Seen.CRASHED
    assert "killed for want of memory" in str(found.detail)


def test_what_was_created_and_never_started_is_down(dock: Dock) -> None:
    work = dock.work()
    with pytest.raises(ProviderError):
        dock.provider.create(work, LastGuard(dock, work))
    found = dock.provider.observe(work)
    assert (found.seen, found.provider_state) == (Seen.DOWN, "created")


class LastGuard:
    """Refuses as soon as the container exists."""

    attempt = 1

    def __init__(self, dock: Dock, work: object) -> None:
        self._dock, self._work = dock, work

    def guard(self) -> None:
        if self._dock.containers(self._work):  # type: ignore[arg-type]
            raise ProviderError(ProviderErrorKind.TRANSIENT, "enough")

    def sleep(self, seconds: float) -> None:
        raise AssertionError("nothing to wait for")

    def progress(self, message: str) -> None:
        raise AssertionError(message)


def test_what_is_removed_is_certainly_absent(dock: Dock) -> None:
    work = dock.created()
    dock.container(work).remove(force=True)
    found = dock.provider.observe(work)
    assert (found.seen, found.certain, found.provider_id) == (Seen.ABSENT, True, None)


@pytest.mark.parametrize(
    ("state", "seen", "says"),
    [
        ({"Status": "restarting"}, Seen.TRANSIENT, "restarting"),
        ({"Status": "removing"}, Seen.TRANSIENT, "being removed"),
        ({"Status": "dead"}, Seen.CRASHED, "could not remove"),
        ({"Status": "exited", "ExitCode": 255, "StartedAt": "2001-01-01T00:00:00.1Z"}, Seen.DOWN, "rebooted"),
        ({"Status": "created", "ExitCode": 128, "Error": "no such port"}, Seen.CRASHED, "no such port"),
    ],
)
def test_states_that_cannot_be_brought_about_at_will(
    dock: Dock, state: dict[str, object], seen: Seen, says: str
) -> None:
    inspected = dock.inspected(dock.created(a_command("sleep", "100")))
    found = container_of({**inspected, "State": {**inspected["State"], **state}})
    assert found.meaning()[0] is seen
    assert says in str(found.meaning()[1])


def test_another_generation_is_foreign(dock: Dock) -> None:
    work = dock.created()
    found = dock.provider.observe(replace(work, identity=replace(work.identity, generation=2)))
    assert (found.seen, found.detail is not None) == (Seen.FOREIGN, True)


def test_a_daemon_that_hangs_is_no_evidence_and_no_verb_hangs_with_it(dock: Dock) -> None:
    work = dock.created()
    patient, dock.options = dock.options, replace(dock.options, look_seconds=1, act_seconds=1)
    with dock.engine.hanging():
        found = dock.provider.observe(work)
        assert found.seen is Seen.NO_EVIDENCE
        assert dock.engine.host in str(found.detail)
        for verb in ("create", "stop", "delete"):
            with pytest.raises(ProviderError) as away:
                getattr(dock.provider, verb)(work, dock.call)
            assert away.value.kind is ProviderErrorKind.TRANSIENT
    dock.options = patient
    assert dock.provider.observe(work).seen is Seen.UP


def test_a_daemon_that_hangs_in_the_middle_is_cut_at_the_time_out(dock: Dock, tmp_path: Path) -> None:
    work = dock.created()
    with FaultyProxy.start(dock.engine.host, socket=tmp_path / "p.sock") as proxy:
        dock.options = replace(options_for(proxy.url), look_seconds=1)
        rule = proxy.hang(method="GET", path="/containers", times=-1)
        found = dock.provider.observe(work)
        assert (found.seen, "did not answer within 1 s" in str(found.detail)) == (Seen.NO_EVIDENCE, True)
        proxy.drop(rule)
        dock.options = options_for(proxy.url)
        assert dock.provider.observe(work).seen is Seen.UP


def test_a_daemon_that_died_and_came_back_left_everything_down(dock: Dock) -> None:
    """An engine of its own: no other test loses its containers."""
    with running_engine() as engine:
        engine.load("berth-test/web:1")
        own = Dock(engine, dock.server_id, options_for(engine.host))
        volumes = {"data": PurePosixPath("/data")}
        running, stopped = own.created(a_web(volumes=volumes)), own.created()
        own.execute(running, "sh", "-c", "echo kept > /data/file")
        own.provider.stop(stopped, own.call)
        first = own.provider.identity()
        assert first != dock.provider.identity()
        provider = own.provider
        engine.kill()
        engine.start()
        assert provider.identity() == first, "a provider that was open goes on with the new daemon"
        found = wait_until(lambda: look if (look := provider.observe(running)).seen is not Seen.UP else None)
        assert found.seen is Seen.DOWN, found
        assert provider.observe(stopped).seen is Seen.DOWN
        provider.start(running, own.call)
        assert own.execute(running, "cat", "/data/file") == "kept"


@pytest.mark.filterwarnings("ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning")
def test_a_socket_that_is_closed_to_us_is_no_outage(dock: Dock) -> None:
    provider = dock.provider
    os.seteuid(65534)
    try:
        with pytest.raises(ProviderError, match="this user may not talk to the Docker daemon") as closed:
            provider.identity()
    finally:
        os.seteuid(0)
    assert closed.value.kind is ProviderErrorKind.AUTH
    del provider, closed
    gc.collect()


@pytest.mark.filterwarnings("ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning")
def test_a_daemon_that_is_away_is_told_as_such(dock: Dock, tmp_path: Path) -> None:
    work = dock.created()
    socket = tmp_path / "p.sock"
    proxy = FaultyProxy.start(dock.engine.host, socket=socket)
    dock.options = options_for(proxy.url)
    provider = dock.provider
    assert provider.observe(work).seen is Seen.UP
    proxy.stop()
    found = provider.observe(work)
    assert found.seen is Seen.NO_EVIDENCE
    assert f"the Docker daemon at unix://{socket} cannot be reached" in str(found.detail)
    with pytest.raises(ProviderError, match="cannot be reached") as away:
        provider.identity()
    assert away.value.kind is ProviderErrorKind.TRANSIENT
    del provider, away
    gc.collect()  # the SDK leaves the socket of a connection that failed to the collector

"""What somebody started past Berth: with the instance's own marks it is the instance, without them a stranger."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from domain.errors import ProviderError
from domain.work import Observation, Seen, Work
from system import ports, processes
from tests.support.by_hand import CommandLine
from tests.support.calls import RecordingCall
from tests.support.instances import Workshop, another_provider
from tests.support.workers import wait_for

pytestmark = pytest.mark.processes

UNSIGNED: dict[str, str | None] = {"BERTH_SIGNATURE": None}


def stopped(workshop: Workshop, blueprint: str = "web") -> tuple[Work, CommandLine]:
    """An instance that Berth stopped, and how it was started."""
    work = workshop.work(blueprint)
    line = CommandLine.of(workshop.create(work))
    workshop.ready(work)
    workshop.provider.stop(work, RecordingCall())
    assert workshop.provider.observe(work).seen is Seen.DOWN
    return work, line


def started(work: Work, line: CommandLine, **other: str | None) -> int:
    pid = line.start(**other)
    wait_for(lambda: bool(ports.listeners(work.port or 0)), 20, "it does not listen")
    return pid


def seen(workshop: Workshop, work: Work, wanted: Seen) -> Observation:
    wait_for(lambda: workshop.provider.observe(work).seen is wanted, 20, f"not {wanted}")
    return workshop.provider.observe(work)


@contextmanager
def ended_after(pid: int) -> Iterator[None]:
    """A stranger is ended by whoever started it."""
    try:
        yield
    finally:
        facts = processes.look(pid)
        if facts is not None:
            os.kill(pid, signal.SIGKILL)
            wait_for(lambda: processes.reap(facts.id) is not None or processes.find(facts.id) is None, 20, "alive")


@pytest.mark.parametrize("blueprint", ["web", "postgres"])
def test_what_was_stopped_and_started_by_hand_is_seen_wherever_one_looks(
    workshop: Workshop, blueprint: str
) -> None:
    work, line = stopped(workshop, blueprint)
    pid = started(work, line)
    (glimpse,) = workshop.provider.glance()
    assert (glimpse.seen, glimpse.state) == (Seen.UP, "running")
    (item,) = workshop.provider.inventory()
    assert (item.state, item.pid, item.owned) == ("running", pid, True)
    assert item.endpoint == f"127.0.0.1:{work.port}"
    found = workshop.provider.observe(work)
    assert (found.seen, found.provider_state, found.endpoint) == (Seen.UP, "running", f"127.0.0.1:{work.port}")
    assert str(pid) in str(found.detail)
    assert another_provider(workshop).observe(work).seen is Seen.UP


@pytest.mark.parametrize("looked", [True, False], ids=["after a look", "before any look"])
def test_a_stop_ends_what_was_started_by_hand(workshop: Workshop, looked: bool) -> None:
    work, line = stopped(workshop, "postgres")
    started(work, line)
    if looked:
        assert workshop.provider.observe(work).seen is Seen.UP
    workshop.provider.stop(work, RecordingCall())
    assert workshop.pids(work) == []
    assert not (workshop.root / work.instance_id / "data" / "postmaster.pid").exists(), "it was shut down cleanly"
    assert workshop.provider.observe(work).seen is Seen.DOWN


def test_a_start_takes_over_what_was_started_by_hand_and_a_restart_replaces_it(workshop: Workshop) -> None:
    work, line = stopped(workshop)
    pid = started(work, line)
    assert workshop.provider.start(work, RecordingCall()).provider_state == "running"
    assert workshop.pids(work) == [pid]
    workshop.provider.restart(work, RecordingCall())
    assert pid not in workshop.pids(work)
    assert len(workshop.pids(work)) == 1
    workshop.provider.stop(work, RecordingCall())
    assert workshop.provider.observe(work).seen is Seen.DOWN


def test_a_delete_removes_what_was_started_by_hand(workshop: Workshop) -> None:
    work, line = stopped(workshop, "postgres")
    started(work, line)
    workshop.provider.delete(work, RecordingCall())
    assert workshop.pids(work) == []
    assert workshop.provider.observe(work).seen is Seen.ABSENT
    assert workshop.provider.inventory() == []


def test_the_end_of_what_was_started_by_hand_is_understood(workshop: Workshop) -> None:
    work, line = stopped(workshop, "postgres")
    pid = started(work, line)
    assert workshop.provider.observe(work).seen is Seen.UP
    os.kill(pid, signal.SIGTERM)
    assert seen(workshop, work, Seen.DOWN).provider_state == "exited"
    pid = started(work, line)
    assert workshop.provider.observe(work).seen is Seen.UP
    os.kill(pid, signal.SIGABRT)
    assert seen(workshop, work, Seen.CRASHED).provider_state == "exited"
    workshop.provider.start(work, RecordingCall())
    workshop.ready(work)


def test_one_that_was_started_by_hand_and_paused_is_passing(workshop: Workshop) -> None:
    work, line = stopped(workshop)
    pid = started(work, line)
    os.kill(pid, signal.SIGSTOP)
    assert seen(workshop, work, Seen.TRANSIENT).provider_state == "paused"
    workshop.provider.stop(work, RecordingCall())
    assert workshop.pids(work) == []


@pytest.mark.parametrize(
    "other", [UNSIGNED, {"BERTH_SIGNATURE": "00"}, {"BERTH_GENERATION": "7"}], ids=["none", "forged", "generation"]
)
def test_what_serves_in_its_place_without_its_signature_is_a_stranger_that_nobody_touches(
    workshop: Workshop, other: dict[str, str | None]
) -> None:
    work, line = stopped(workshop, "postgres")
    pid = started(work, line, **other)
    with ended_after(pid):
        found = workshop.provider.observe(work)
        assert found.seen is Seen.FOREIGN
        assert found.endpoint is None
        (item,) = workshop.provider.inventory()
        assert (item.state, item.pid) == ("foreign", None)
        for verb in ("start", "stop", "restart", "modify"):
            with pytest.raises(ProviderError, match="left untouched"):
                getattr(workshop.provider, verb)(work, RecordingCall())
        assert processes.look(pid) is not None
    seen(workshop, work, Seen.DOWN)
    workshop.provider.start(work, RecordingCall())
    workshop.ready(work)


def test_a_shell_that_stands_in_its_directory_is_nobody(workshop: Workshop) -> None:
    work, line = stopped(workshop)
    idle = CommandLine("/bin/sleep", ("sleep", "600"), {}, line.directory, line.user)
    pid = idle.start()
    with ended_after(pid):
        time.sleep(0.1)
        assert workshop.provider.observe(work).seen is Seen.DOWN


def test_two_that_were_started_by_hand_are_ambiguous(workshop: Workshop) -> None:
    work, line = stopped(workshop)
    started(work, line)
    CommandLine("/bin/sleep", ("sleep", "600"), line.environment, line.directory, line.user).start()
    wait_for(lambda: len(workshop.pids(work)) == 2, 20, "two do not run")
    found = workshop.provider.observe(work)
    assert (found.seen, found.provider_state) == (Seen.FOREIGN, "foreign")
    workshop.provider.delete(work, RecordingCall())
    assert workshop.pids(work) == []

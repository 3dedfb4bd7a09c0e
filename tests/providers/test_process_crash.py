"""The starter is killed with SIGKILL at every point that matters; the next attempt ends with one process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from domain.work import Seen, Work
from system import processes
from tests.support.calls import RecordingCall
from tests.support.instances import Workshop, another_provider

pytestmark = pytest.mark.crash

# Runs in a process of its own: the same provider and work, and one function replaced by one that kills.
_STARTER = """
import os, sys
from pathlib import Path
from dataclasses import replace
from domain.work import Secrets
from blueprints.registry import BLUEPRINTS
from providers.process import launching, places, provider
from tests.support.calls import RecordingCall
from tests.support.instances import Workshop, another_provider
from tests.support.works import a_work, signed

base, server_id, blueprint, instance_id, deployment_id, port, password, verb, point = sys.argv[1:]
found = BLUEPRINTS[blueprint]
work = a_work(server_id=server_id, blueprint=blueprint, instance_id=instance_id, port=int(port),
              secrets=Secrets(password=password, admin_password=password), recipes=found)
work = replace(work, identity=signed(replace(work.identity, deployment_id=deployment_id)))

def die(*_, **__):
    os.kill(os.getpid(), 9)

def then_die(original):
    def both(*arguments, **more):
        original(*arguments, **more)
        die()
    return both

def record_of_a_process(place, record, original=provider.write_record):
    die() if record.process is not None else original(place, record)

match point:
    case "before the home": provider.build = die
    case "after the home": provider.build = then_die(provider.build)
    case "inside initialise": launching._wait = die
    case "before the marker": launching.mark_initialised = die
    case "after the marker": launching.mark_initialised = then_die(launching.mark_initialised)
    case "before the spawn": launching.Launch.start = die
    case "between spawn and record": provider.write_record = record_of_a_process
    case "after the record": launching.Launch.await_listening = die
    case "after the signal": provider.end = then_die(provider.end)
    case "after the rename": places.sync_directory = then_die(places.sync_directory)

made = another_provider(Workshop(Path(base), server_id, None))
getattr(made, verb)(work, RecordingCall())
"""

_CREATE = (
    "before the home",
    "after the home",
    "inside initialise",
    "before the marker",
    "after the marker",
    "before the spawn",
    "between spawn and record",
    "after the record",
)


def killed_at(workshop: Workshop, work: Work, verb: str, point: str) -> None:
    arguments = (
        str(workshop.base),
        workshop.server_id,
        work.blueprint,
        work.instance_id,
        work.identity.deployment_id,
        str(work.port),
        work.secrets["password"],
        verb,
        point,
    )
    done = subprocess.run(
        [sys.executable, "-c", _STARTER, *arguments],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr


@pytest.fixture
def work(workshop: Workshop) -> Work:
    made = workshop.work("postgres")
    made.secrets["admin_password"] = made.secrets["password"]
    return made


@pytest.mark.parametrize("point", _CREATE)
def test_a_create_that_was_killed_is_finished_by_the_next_one(workshop: Workshop, work: Work, point: str) -> None:
    killed_at(workshop, work, "create", point)
    workshop.provider.observe(work)
    workshop.provider.create(work, RecordingCall())
    workshop.ready(work)
    assert len(workshop.pids(work)) == 1
    assert workshop.provider.observe(work).seen is Seen.UP
    workshop.provider.delete(work, RecordingCall())
    assert workshop.pids(work) == []
    assert [path.name for path in workshop.root.iterdir()] == [".locks"]


@pytest.mark.parametrize("point", _CREATE)
def test_a_create_that_was_killed_can_be_deleted(workshop: Workshop, work: Work, point: str) -> None:
    if point != "inside initialise":  # the others do not depend on what runs, and a page is quicker
        work = replace(workshop.work(), secrets=work.secrets)
    killed_at(workshop, work, "create", point)
    workshop.provider.delete(work, RecordingCall())
    assert workshop.pids(work) == []
    assert [path.name for path in workshop.root.iterdir()] == [".locks"]


@pytest.mark.parametrize(
    ("verb", "point"),
    [
        ("delete", "after the signal"),
        ("delete", "after the rename"),
        ("stop", "after the signal"),
        ("restart", "after the signal"),
        ("restart", "between spawn and record"),
    ],
)
def test_a_verb_that_was_killed_is_finished_by_the_same_verb(
    workshop: Workshop, work: Work, verb: str, point: str
) -> None:
    workshop.provider.create(work, RecordingCall())
    workshop.ready(work)
    killed_at(workshop, work, verb, point)
    getattr(workshop.provider, verb)(work, RecordingCall())
    expected = {"delete": Seen.ABSENT, "stop": Seen.DOWN, "restart": Seen.UP}[verb]
    assert workshop.provider.observe(work).seen is expected
    assert len(workshop.pids(work)) == (1 if verb == "restart" else 0)


def test_a_process_whose_starter_died_reads_as_crashed_when_it_is_killed(workshop: Workshop, work: Work) -> None:
    killed_at(workshop, work, "create", "after the record")
    workshop.ready(work)
    (pid,) = workshop.pids(work)
    os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + 60
    while (seen := workshop.provider.observe(work)).seen is Seen.UP and time.monotonic() < deadline:
        time.sleep(0.05)
    assert seen.seen is Seen.CRASHED
    workshop.provider.start(work, RecordingCall())
    workshop.ready(work)
    assert len(workshop.pids(work)) == 1


def test_a_server_that_somebody_else_shut_down_cleanly_reads_as_down(workshop: Workshop, work: Work) -> None:
    killed_at(workshop, work, "create", "after the record")
    workshop.ready(work)
    (pid,) = workshop.pids(work)
    facts = processes.look(pid)
    assert facts is not None
    os.kill(pid, signal.SIGINT)
    deadline = time.monotonic() + 60
    while processes.find(facts.id) is not None:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert workshop.provider.observe(work).seen is Seen.DOWN


def test_a_second_starter_cannot_start_while_an_unseen_first_one_does(workshop: Workshop, work: Work) -> None:
    """The life lock holds even where /proc shows nothing: a child between fork and exec has its parent's face."""
    workshop.provider.create(work, RecordingCall())
    (first,) = workshop.pids(work)
    later = another_provider(workshop)
    lock = workshop.root / ".locks" / f"{work.instance_id}.life"
    holders = [
        pid.name
        for pid in Path("/proc").iterdir()
        if pid.name.isdigit() and any(_points_to(handle, lock) for handle in _handles(pid))
    ]
    assert str(first) in holders
    assert len(holders) > 1, "the server's children hold it as well"
    later.create(work, RecordingCall())
    assert workshop.pids(work) == [first]


def _handles(process: Path) -> list[Path]:
    try:
        return list((process / "fd").iterdir())
    except OSError:
        return []


def _points_to(handle: Path, path: Path) -> bool:
    try:
        return handle.readlink() == path
    except OSError:
        return False

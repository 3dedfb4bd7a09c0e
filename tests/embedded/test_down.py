"""`berth down`, plain and with --purge."""

from __future__ import annotations

import json
import os
import pwd
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psycopg2
import pytest

from embedded import cluster, lives, postgres
from embedded.down import down
from embedded.errors import StillHeldError
from embedded.installation import Installation, open_installation, prepare_directory
from embedded.state import note_server
from system.processes import ProcessId
from system.users import ensure_user, is_root
from tests.embedded.conftest import Starter

pytestmark = pytest.mark.servers


@pytest.fixture
def installation(data_dir: Path) -> Installation:
    prepare_directory(data_dir)
    return open_installation(data_dir)


@pytest.fixture
def sleeper() -> Iterator[ProcessId]:
    """A process that is an instance, or is not, by what the test writes about it."""
    with subprocess.Popen(["/bin/sleep", "120"], start_new_session=True) as process:
        identity = lives.identify(process.pid)
        assert identity is not None
        yield identity
        process.kill()


def _record(installation: Installation, name: str, process: ProcessId) -> None:
    home = installation.instance_root / name
    home.mkdir()
    (home / "process.json").write_text(json.dumps({"process": lives.as_record(process)}))


def _say_nothing(text: str) -> None:
    del text


def test_a_purge_is_refused_while_something_lives_elsewhere(start: Starter) -> None:
    up = start()
    up.event()
    connection = psycopg2.connect(cluster.database_url(up.installation), connect_timeout=30)
    connection.autocommit = True
    cursor = connection.cursor()
    cursor.execute("create table instances_runtime (name text, provider text)")
    cursor.execute("insert into instances_runtime values ('shop', 'process'), ('erp', 'docker')")
    with pytest.raises(StillHeldError, match=r"^erp \(docker\) would go on"):
        down(up.installation, purge=True, say=_say_nothing)
    assert up.process.poll() is None
    cursor.execute("delete from instances_runtime where provider = 'docker'")
    connection.close()
    down(up.installation, purge=True, say=_say_nothing)
    assert not up.data_dir.exists()


def test_down_stops_a_running_berth_and_keeps_its_data(start: Starter) -> None:
    up = start()
    pids = up.event()["pids"]
    said: list[str] = []
    down(up.installation, purge=False, say=said.append)
    assert up.ended()[0] == 0
    assert all(lives.identify(pid) is None for pid in pids.values())
    assert (up.installation.records / "data" / "PG_VERSION").exists()
    assert str(pids["supervisor"]) in said[0]


@pytest.mark.crash
def test_down_stops_the_postgres_of_a_killed_supervisor(start: Starter) -> None:
    up = start()
    pids = up.event()["pids"]
    up.process.kill()
    up.process.wait(60)
    assert lives.identify(pids["postgres"]) is not None
    down(up.installation, purge=False, say=_say_nothing)
    assert lives.identify(pids["postgres"]) is None


def test_down_twice_is_fine(installation: Installation) -> None:
    for _ in range(2):
        down(installation, purge=False, say=_say_nothing)


def test_a_plain_down_lets_instances_go_on(installation: Installation, sleeper: ProcessId) -> None:
    _record(installation, "ins_1", sleeper)
    down(installation, purge=False, say=_say_nothing)
    assert lives.is_alive(sleeper)


def test_a_purge_ends_instances_and_leaves_no_trace(installation: Installation, sleeper: ProcessId) -> None:
    _record(installation, "ins_1", sleeper)
    postgres.start(cluster.prepare(installation))
    down(installation, purge=True, say=_say_nothing)
    assert not lives.is_alive(sleeper)
    assert not installation.data_dir.exists()
    assert not installation.shared.exists()
    assert not [user for user in pwd.getpwall() if user.pw_name.startswith(installation.user_prefix)]


def test_a_purge_spares_a_process_that_only_has_a_recorded_pid(
    installation: Installation, sleeper: ProcessId
) -> None:
    _record(installation, "ins_1", replace(sleeper, start_time=sleeper.start_time - 1))
    (installation.instance_root / "ins_2").mkdir()
    (installation.instance_root / "ins_2" / "process.json").write_text("not json")
    down(installation, purge=True, say=_say_nothing)
    assert lives.is_alive(sleeper)


@pytest.mark.skipif(not is_root(), reason="without root no OS user is made")
def test_a_purge_removes_the_users_of_every_server_it_worked_for(installation: Installation) -> None:
    server = f"01server{os.urandom(4).hex()}"
    note_server(installation, server)
    note_server(installation, server)
    user = ensure_user(f"berth-{server[-8:]}-project")
    with subprocess.Popen(["/bin/sleep", "120"], **user.spawn_arguments()) as theirs:
        identity = lives.identify(theirs.pid)
        assert identity is not None
        down(installation, purge=True, say=_say_nothing)
        assert not lives.is_alive(identity)
    with pytest.raises(KeyError):
        pwd.getpwnam(user.name)

"""`berth up` with real PostgreSQL and Temporal; worker, API and migration are stand-ins."""

from __future__ import annotations

import os
import signal
import socket
import stat
from pathlib import Path

import psycopg2
import pytest

from embedded import cluster, lives
from embedded.installation import Installation
from tests.embedded.conftest import Standing, Starter, starting, wait_for
from tests.support.patience import busy

pytestmark = pytest.mark.servers


def _starts_recorded(installation: Installation) -> int:
    connection = psycopg2.connect(cluster.database_url(installation), connect_timeout=30)
    try:
        cursor = connection.cursor()
        cursor.execute("select count(*) from kept")
        row = cursor.fetchone()
        assert row is not None
        return int(row[0])
    finally:
        connection.close()


def test_a_new_data_directory_becomes_ready_in_ten_seconds(standing: Standing) -> None:
    _, ready = standing
    assert ready["event"] == "ready"
    assert ready["seconds"] < 10 * busy()
    assert list(ready["pids"]) == ["supervisor", "postgres", "temporal", "worker", "api"]
    assert all(lives.identify(pid) for pid in ready["pids"].values())
    assert ready["url"].startswith("http://127.0.0.1:")


def test_everything_private_is_readable_by_its_owner_only(standing: Standing) -> None:
    home = standing[0].installation
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in (home.token_file, home.data_dir / "keys")}
    assert set(modes.values()) == {0o600}
    assert stat.S_IMODE(home.data_dir.stat().st_mode) == 0o700
    assert stat.S_IMODE(home.logs.stat().st_mode) == 0o700
    assert stat.S_IMODE(cluster.socket_folder(home).stat().st_mode) == 0o700


def test_a_second_up_is_refused_and_told_who_holds_the_directory(standing: Standing, tmp_path: Path) -> None:
    first, ready = standing
    with starting(first.data_dir, tmp_path) as starter:
        code, said = starter().ended()
    assert code == 5
    assert f"pid {ready['pids']['supervisor']}" in said
    assert "berth down" in said


@pytest.mark.crash
def test_after_kill_9_of_the_supervisor_the_next_one_finds_the_records_and_the_same_urls(start: Starter) -> None:
    first = start()
    before = first.event()
    first.process.kill()
    first.process.wait(60)
    wait_for(lambda: lives.identify(before["pids"]["temporal"]) is None)
    assert lives.identify(before["pids"]["postgres"]) is not None, "records must outlive the supervisor"
    after = start().event()
    assert after["pids"]["postgres"] == before["pids"]["postgres"]
    assert {k: after[k] for k in ("url", "temporal_address", "temporal_ui")} == {
        k: before[k] for k in ("url", "temporal_address", "temporal_ui")
    }
    assert after["seconds"] < 10 * busy()
    assert _starts_recorded(first.installation) == 2


@pytest.mark.crash
@pytest.mark.parametrize("child", ["worker", "api", "temporal", "postgres"])
def test_a_killed_child_is_started_again_at_once(start: Starter, child: str) -> None:
    up = start()
    ready = up.event()
    os.kill(ready["pids"][child], signal.SIGKILL)
    event = up.event()
    assert (event["event"], event["child"]) == ("child_restarted", child)
    assert event["pid"] != ready["pids"][child]
    assert lives.identify(event["pid"]) is not None


@pytest.mark.crash
def test_both_postgres_and_supervisor_killed_at_once_start_again(start: Starter) -> None:
    first = start()
    pids = first.event()["pids"]
    os.kill(pids["supervisor"], signal.SIGKILL)
    os.kill(pids["postgres"], signal.SIGKILL)
    first.process.wait(60)
    start().event()
    assert _starts_recorded(first.installation) == 2


def test_a_stop_drains_the_worker_and_leaves_no_process(start: Starter) -> None:
    up = start()
    pids = up.event()["pids"]
    up.process.terminate()
    code, _ = up.ended()
    assert code == 0
    assert (up.data_dir / "drained").exists()
    assert all(lives.identify(pid) is None for pid in pids.values())
    assert not up.installation.state_file.exists()


def test_a_failing_migration_ends_the_start_with_its_cause(start: Starter) -> None:
    code, said = start("schema=broken_schema").ended()
    assert code == 1
    assert "the schema is newer than this program" in said


def test_a_worker_that_keeps_dying_ends_the_start_with_its_log(start: Starter) -> None:
    code, said = start("worker=dying_worker").ended()
    assert code == 1
    assert "no such queue" in said


def test_not_ready_in_time_names_what_is_missing(start: Starter) -> None:
    code, said = start("worker=silent_worker", "timeout=3").ended()
    assert code == 1
    assert "no poller seen" in said


def test_a_taken_port_is_refused_when_it_was_asked_for(start: Starter) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        code, said = start(f"port={port}").ended()
    assert code == 5
    assert f"port {port} is taken" in said


@pytest.mark.crash
def test_a_new_temporal_database_is_announced_until_berth_was_ready(start: Starter) -> None:
    first = start()
    first.event()
    told = first.data_dir / "worker-is-up"
    assert told.read_text() == "1"
    first.process.terminate()
    first.ended()
    second = start()
    second.event()
    assert told.read_text() == "0"
    second.process.terminate()
    second.ended()
    for name in ("temporal.db", "temporal.db-wal", "temporal.db-shm"):
        (first.data_dir / name).unlink(missing_ok=True)
    start().event()
    assert told.read_text() == "1"


def test_logs_hold_neither_token_nor_key(standing: Standing) -> None:
    up, _ = standing
    home = up.installation
    hidden = [home.token_file.read_text().strip(), (home.data_dir / "keys").read_text().strip()]
    texts = [path.read_text(errors="replace") for path in [*home.logs.iterdir(), up.progress, home.state_file]]
    assert not [secret for secret in hidden for text in texts if secret in text]


def test_a_folder_with_other_files_is_no_data_directory(start: Starter, data_dir: Path) -> None:
    data_dir.mkdir()
    (data_dir / "thesis.txt").write_text("do not touch")
    code, said = start().ended()
    assert code == 2
    assert "thesis.txt" in said
    assert [path.name for path in data_dir.iterdir()] == ["thesis.txt"]

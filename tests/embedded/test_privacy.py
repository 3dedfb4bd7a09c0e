"""Another OS user of this machine reaches neither the records nor the files of a running Berth."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from embedded import cluster, postgres
from embedded.installation import Installation, open_installation, prepare_directory
from system.users import OsUser, ensure_user, is_root, remove_user
from tests.embedded.conftest import purged

pytestmark = [pytest.mark.servers, pytest.mark.skipif(not is_root(), reason="needs root to act as another user")]


@pytest.fixture
def stranger() -> Iterator[OsUser]:
    user = ensure_user("berth-test-stranger")
    yield user
    remove_user(user.name)


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with purged(tmp_path_factory.mktemp("private") / "data") as folder:
        prepare_directory(folder)
        made = open_installation(folder)
        postgres.start(cluster.prepare(made))
        yield made


def _open_up(folder: Path) -> None:
    """Pytest's own folders are closed to others and would hide a mistake of ours."""
    for parent in folder.parents:
        if parent.stat().st_mode & 0o001 == 0:
            parent.chmod(parent.stat().st_mode | 0o001)


def _as(user: OsUser, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, **user.spawn_arguments(), env={}, cwd="/", capture_output=True, text=True, timeout=30, check=False
    )


@pytest.mark.parametrize("name", ["token", "keys", "installation-id", "logs/postgres.log"])
def test_a_stranger_cannot_read_our_files(installation: Installation, stranger: OsUser, name: str) -> None:
    _open_up(installation.data_dir)
    assert (installation.data_dir / name).exists()
    done = _as(stranger, "/bin/cat", str(installation.data_dir / name))
    assert "Permission denied" in done.stderr
    assert done.stdout == ""


def test_a_stranger_cannot_even_reach_the_socket(installation: Installation, stranger: OsUser) -> None:
    psql = cluster.prepare(installation).runtime.program("psql")
    done = _as(stranger, str(psql), cluster.database_url(installation), "-c", "select 1")
    assert done.returncode == 2
    assert "Permission denied" in done.stderr


def test_a_stranger_who_reaches_the_socket_is_nobody_to_the_server(
    installation: Installation, stranger: OsUser
) -> None:
    psql = cluster.prepare(installation).runtime.program("psql")
    sockets = cluster.socket_folder(installation)
    sockets.chmod(0o755)
    done = _as(stranger, str(psql), cluster.database_url(installation), "-c", "select 1")
    sockets.chmod(0o700)
    assert done.returncode == 2
    assert "authentication failed" in done.stderr


def test_the_server_listens_on_no_network_address_and_trusts_nobody(installation: Installation) -> None:
    server = cluster.prepare(installation)
    process = postgres.running(server.data)
    assert process is not None
    assert postgres.ask(cluster.database_url(installation), "show listen_addresses") == ""
    rules = "select count(*) from pg_hba_file_rules where auth_method <> 'peer'"
    assert postgres.ask(cluster.database_url(installation), rules) == "0"
    assert Path(f"/proc/{process.pid}").stat().st_uid == server.user.uid != 0


def test_we_ourselves_get_in_with_psql(installation: Installation) -> None:
    psql = cluster.prepare(installation).runtime.program("psql")
    command = [str(psql), cluster.database_url(installation), "-Atc", "select current_user"]
    done = subprocess.run(command, env={}, capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout == "berth\n"


def test_a_cluster_below_a_folder_that_only_root_can_enter_starts(installation: Installation) -> None:
    assert installation.data_dir.stat().st_mode & 0o077 == 0
    assert postgres.running(cluster.prepare(installation).data) is not None

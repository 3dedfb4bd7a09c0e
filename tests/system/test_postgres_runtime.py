"""PostgreSQL's programs, copied to where another user can run them."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from system.postgres_runtime import RuntimeMissingError, available_majors, install_runtime
from system.users import OsUser, current_user, ensure_user, is_root, remove_user

pytestmark = pytest.mark.unit


@pytest.fixture
def runner(tmp_path: Path) -> Iterator[OsUser]:
    """Somebody else when we are root, and a way for them into pytest's private folder."""
    if not is_root():
        yield current_user()
        return
    for parent in tmp_path.parents:
        parent.chmod(parent.stat().st_mode | 0o001)
    tmp_path.chmod(0o711)
    user = ensure_user("berth-test-runtime")
    yield user
    remove_user(user.name)


@pytest.mark.parametrize("major", available_majors())
@pytest.mark.parametrize("program", ["postgres", "initdb", "psql", "pg_dump", "pg_basebackup"])
def test_another_user_can_run_it(tmp_path: Path, runner: OsUser, major: int, program: str) -> None:
    runtime = install_runtime(tmp_path / "runtime", major)
    done = subprocess.run(
        [runtime.program(program), "--version"],
        **runner.spawn_arguments(),
        env={},
        cwd="/",
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert runtime.version in done.stdout
    assert runtime.version.startswith(f"{major}.")


def test_copies_at_once_give_one_whole_runtime_and_no_rubbish(tmp_path: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        made = set(pool.map(lambda _: install_runtime(tmp_path, 18), range(4)))
    assert len(made) == 1
    assert [path.name for path in tmp_path.iterdir() if not path.name.startswith(".install")] == [
        next(path.name for path in made.pop().home.parents if path.parent == tmp_path)
    ]


def test_what_a_killed_copy_left_is_cleared_away(tmp_path: Path) -> None:
    (tmp_path / ".unfinished-old" / "half").mkdir(parents=True)
    install_runtime(tmp_path, 18)
    assert not (tmp_path / ".unfinished-old").exists()


def test_a_missing_version_names_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(RuntimeMissingError, match="16, 18"):
        install_runtime(tmp_path, 9)


def test_a_missing_program_is_named(tmp_path: Path) -> None:
    with pytest.raises(RuntimeMissingError, match="pg_teleport"):
        install_runtime(tmp_path, 18).program("pg_teleport")

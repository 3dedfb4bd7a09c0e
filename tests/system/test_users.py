"""OS users for servers. The tests make and remove real ones."""

from __future__ import annotations

import os
import pwd
import subprocess
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest

from system.users import OsUserError, ensure_user, is_root, remove_user

pytestmark = pytest.mark.unit
needs_root = pytest.mark.skipif(not is_root(), reason="only root makes OS users")


@pytest.fixture
def name() -> Iterator[str]:
    chosen = f"berth-test-{os.urandom(4).hex()}"
    yield chosen
    remove_user(chosen)


@needs_root
def test_a_user_has_a_group_of_its_own_no_home_and_no_shell(name: str) -> None:
    user = ensure_user(name)
    entry = pwd.getpwnam(name)
    assert user.uid == entry.pw_uid != 0
    assert user.gid == entry.pw_gid != 0
    assert not os.path.exists(entry.pw_dir)  # noqa: PTH110
    assert entry.pw_shell.endswith("nologin")
    done = subprocess.run(
        ["/usr/bin/id", "-G"],
        **user.spawn_arguments(),
        env={},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.split() == [str(user.gid)]


@needs_root
def test_many_processes_asking_at_once_get_the_same_user(name: str) -> None:
    with ProcessPoolExecutor(6, mp_context=get_context("spawn")) as pool:
        assert len(set(pool.map(ensure_user, [name] * 6))) == 1


@needs_root
def test_removing_twice_is_fine_and_takes_the_group_along(name: str) -> None:
    ensure_user(name)
    remove_user(name)
    remove_user(name)
    done = subprocess.run(["/usr/bin/getent", "group", name], capture_output=True, timeout=60, check=False)
    assert done.returncode == 2


@needs_root
def test_root_itself_is_refused() -> None:
    with pytest.raises(OsUserError, match="root"):
        ensure_user("root")


@pytest.mark.parametrize("name", ["", "x", "Berth", "berth;id", "-rf", "../etc", "a" * 40, "berth\n"])
def test_a_bad_name_is_refused_with_what_is_allowed(name: str) -> None:
    with pytest.raises(OsUserError, match="starting with a letter"):
        ensure_user(name)

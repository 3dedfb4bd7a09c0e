"""What an instance of `process` can reach, and what it cannot. Needs root, as the isolation itself does."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from domain.errors import ProviderError, ProviderErrorKind
from domain.work import Command, Home, ProcessRecipe, Work
from providers.process import disk, logs
from providers.process.places import require_reachable
from providers.process.users import project_user, user_name
from system.users import OsUser, is_root
from tests.support.calls import RecordingCall
from tests.support.instances import Workshop
from tests.support.works import AsProcess

pytestmark = [
    pytest.mark.processes,
    pytest.mark.skipif(not is_root(), reason="without root there is one user for everything"),
]


def user_of(workshop: Workshop, work: Work) -> OsUser:
    return project_user(workshop.server_id, work.identity.project)


def can(user: OsUser, test: str, path: Path) -> bool:
    """`test -r` and the like, as that user."""
    done = subprocess.run(
        ["/usr/bin/test", test, str(path)], **user.spawn_arguments(), cwd="/", env={}, check=False
    )
    return done.returncode == 0


@pytest.fixture
def running(workshop: Workshop) -> Work:
    work = workshop.work()
    workshop.provider.create(work, RecordingCall())
    workshop.ready(work)
    return work


def test_it_runs_as_its_projects_user_in_a_session_of_its_own(workshop: Workshop, running: Work) -> None:
    (pid,) = workshop.pids(running)
    user = user_of(workshop, running)
    assert user.name == user_name(workshop.server_id, "default")
    status = dict(
        line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":\t" in line
    )
    assert set(status["Uid"].split()) == {str(user.uid)}
    assert set(status["Gid"].split()) == {str(user.gid)}
    assert status["Groups"].strip() in ("", str(user.gid))
    assert int(status["CapEff"], 16) == 0
    assert os.getsid(pid) == pid
    assert Path(f"/proc/{pid}/cwd").readlink() == workshop.root / running.instance_id / "data"


def test_its_environment_is_built_from_nothing(workshop: Workshop, running: Work) -> None:
    (pid,) = workshop.pids(running)
    names = {item.split(b"=")[0].decode() for item in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")[:-1]}
    assert {name for name in names if not name.startswith("BERTH_")} == {"PATH", "LANG", "TZ", "HOME"}


def test_it_holds_nothing_open_but_its_own(workshop: Workshop, running: Work) -> None:
    (pid,) = workshop.pids(running)
    held = {str(name) for handle in Path(f"/proc/{pid}/fd").iterdir() if (name := _leads_to(handle)) is not None}
    home = workshop.root / running.instance_id
    files = {name for name in held if name.startswith("/") and name != "/dev/null"}
    assert files == {
        str(home / "log" / "output.log"),
        str(workshop.root / ".locks" / f"{running.instance_id}.life"),
    }


def _leads_to(handle: Path) -> Path | None:
    """None: it was closed in the meantime, as that of an answered request is."""
    try:
        return handle.readlink()
    except FileNotFoundError:
        return None


def test_it_can_read_its_configuration_and_write_only_its_data(workshop: Workshop, running: Work) -> None:
    home, user = workshop.root / running.instance_id, user_of(workshop, running)
    assert can(user, "-r", home / "conf" / "instance.json")
    for path in (home, home / "conf", home / "conf" / "instance.json", home / "log", home / "process.json"):
        assert not can(user, "-w", path), path
    for path in (home / "process.json", home / "log", home / "log" / "output.log", workshop.root / ".locks"):
        assert not can(user, "-r", path), path
    for path in (home / "data", home / "run"):
        assert can(user, "-w", path), path


def test_it_cannot_read_what_is_roots_alone(workshop: Workshop, running: Work) -> None:
    token = workshop.base / "token"
    token.write_text("secret")
    token.chmod(0o600)
    assert not can(user_of(workshop, running), "-r", token)


def test_another_projects_user_can_read_nothing_of_it(workshop: Workshop, running: Work) -> None:
    other = workshop.work(project="other")
    workshop.provider.create(other, RecordingCall())
    stranger, home = user_of(workshop, other), workshop.root / running.instance_id
    assert stranger.uid != user_of(workshop, running).uid
    for path in ("data", "run", "conf", "conf/instance.json", "log", "process.json"):
        assert not can(stranger, "-r", home / path), path


def _planting(work: Work, home: Home) -> ProcessRecipe:
    """An instance that plants links where Berth will look and remove; it knows the victim from its greeting."""
    victim = work.params["greeting"]
    script = (
        f"import os, time; v = {victim!r}; os.symlink(v, 'link'); os.mkdir('d'); os.symlink(v, 'd/x'); "
        "os.symlink(v + '/file', 'server.pid'); print('planted', flush=True); time.sleep(600)"
    )
    run = Command("python3", ("-I", "-c", script))
    return ProcessRecipe("python", run, {}, stop_seconds=1.0, pid_file="server.pid")


def test_links_that_an_instance_plants_are_removed_not_followed(workshop: Workshop, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("precious")
    work = workshop.work(params={"greeting": str(tmp_path)}, recipes=AsProcess(_planting))
    work = replace(work, port=None)
    workshop.provider.create(work, RecordingCall())
    while workshop.provider.logs(work, 1) != ["planted"]:
        time.sleep(0.02)
    link = workshop.root / work.instance_id / "data" / "server.pid"
    assert link.is_symlink()
    workshop.provider.restart(replace(work, recipes=AsProcess(_idle)), RecordingCall())
    workshop.provider.delete(work, RecordingCall())
    assert (tmp_path / "file").read_text() == "precious"


def _idle(work: Work, home: Home) -> ProcessRecipe:
    return ProcessRecipe("python", Command("python3", ("-I", "-c", "import time; time.sleep(600)")), {})


def test_a_root_that_instances_cannot_enter_is_refused_with_the_cure(workshop: Workshop) -> None:
    closed = workshop.base / "closed"
    closed.mkdir(mode=0o700)
    user = project_user(workshop.server_id, "default")
    with pytest.raises(ProviderError, match=r"cannot enter .*closed \(mode 0700\).*BERTH_INSTANCE_ROOT"):
        require_reachable(closed, user)


def test_modes_are_as_the_layout_says_whatever_the_umask(workshop: Workshop) -> None:
    old = os.umask(0o077)
    try:
        work = workshop.work()
        workshop.provider.create(work, RecordingCall())
    finally:
        os.umask(old)
    home = workshop.root / work.instance_id
    modes = {
        name: stat.S_IMODE((home / name).stat().st_mode)
        for name in (".", "data", "run", "conf", "log", "process.json", "conf/web_server.py", "log/output.log")
    }
    assert modes == {
        ".": 0o711,
        "data": 0o700,
        "run": 0o700,
        "conf": 0o750,
        "log": 0o700,
        "process.json": 0o600,
        "conf/web_server.py": 0o640,
        "log/output.log": 0o600,
    }


def test_output_is_bounded_and_read_from_its_end(workshop: Workshop, running: Work) -> None:
    output = workshop.root / running.instance_id / "log" / "output.log"
    with output.open("a") as file:
        file.writelines(f"line {number}\n" for number in range(800_000))
    assert output.stat().st_size > logs.LIMIT_BYTES
    workshop.provider.observe(running)
    assert output.stat().st_size == 0
    assert output.with_name("output.log.1").stat().st_size <= logs.LIMIT_BYTES
    assert workshop.provider.logs(running, 2) == ["line 799998", "line 799999"]
    with output.open("a") as file:
        file.write("after\n")
    assert workshop.provider.logs(running, 2) == ["line 799999", "after"]


@pytest.fixture
def small_disk(runtime_base: Path) -> Iterator[Path]:
    """A real file system of one megabyte."""
    where = Path(tempfile.mkdtemp(dir=runtime_base))
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m,mode=711", "tmpfs", str(where)], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip("this machine does not let us mount")
    yield where
    subprocess.run(["umount", "--lazy", str(where)], check=True)
    where.rmdir()


def test_too_little_space_is_refused_before_anything_starts(workshop: Workshop, small_disk: Path) -> None:
    small = Workshop(small_disk, workshop.server_id, workshop.provider)
    work = workshop.work("postgres")
    provider = type(workshop.provider)(
        root=small.root,
        runtime_root=workshop.base.parent / "runtime",
        server_id=workshop.server_id,
        host_id="host_test",
        verify=lambda _: True,
    )
    with pytest.raises(ProviderError, match="MB free and the instance needs 200 MB") as refused:
        provider.create(work, RecordingCall())
    assert refused.value.kind is ProviderErrorKind.NO_CAPACITY
    provider.delete(work, RecordingCall())


def test_a_full_disk_is_named_with_what_is_free(small_disk: Path) -> None:
    full = r"the disk of .* is full \(\d MB free\)"
    with pytest.raises(ProviderError, match=full) as refused, disk.clear_errors(small_disk):
        disk.replace_file(small_disk / "big", b"x" * (2 << 20))
    assert refused.value.kind is ProviderErrorKind.NO_CAPACITY


def test_the_python_of_an_instance_is_one_that_its_user_can_run(workshop: Workshop, running: Work) -> None:
    (pid,) = workshop.pids(running)
    program = Path(f"/proc/{pid}/exe").readlink()
    assert can(user_of(workshop, running), "-x", program)
    assert sys.prefix not in str(program)

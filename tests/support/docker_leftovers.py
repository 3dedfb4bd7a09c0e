"""What a Docker Engine of the tests leaves on the machine, and how it goes away, also after a killed session.

A session holds a lock on its folder and on its range of addresses; what nobody holds is left over.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

PREFIX = "berth-docker-"
PARENT = Path("/var/tmp")
"""Docker's storage wants a real file system, which /tmp is not everywhere."""
_POOLS = range(129, 250)
_ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
_KILL_SECONDS = 20.0


def claim(folder: Path) -> int:
    """Say that this folder is in use, until the handle is closed."""
    return _lock(folder / "in-use") or -1


def claim_addresses() -> tuple[int, str]:
    """A range that no other engine of the tests uses and no interface of this machine has, and a handle on it."""
    taken = _addresses()
    for number in _POOLS:
        if any(address.startswith(f"10.{number}.") for _, address in taken):
            continue
        handle = _lock(Path(tempfile.gettempdir()) / f"{PREFIX}addresses-{number}")
        if handle is not None:
            return handle, f"10.{number}.0.0/16"
    raise RuntimeError("every range of addresses for a Docker Engine is taken")


@contextlib.contextmanager
def let_through(addresses: str) -> Iterator[None]:
    """Where another engine made the firewall drop what bridges forward: except ours, for so long."""
    rule = ("-s", addresses, "-d", addresses, "-j", "ACCEPT")
    needed = "-P FORWARD DROP" in _run("iptables", "-S", "FORWARD")
    if needed:
        _run("iptables", "-I", "FORWARD", *rule)
    try:
        yield
    finally:
        if needed:
            _run("iptables", "-D", "FORWARD", *rule)


def sweep() -> None:
    """End and remove what sessions left that were killed."""
    for folder in PARENT.glob(f"{PREFIX}*"):
        handle = _lock(folder / "in-use")
        if handle is not None:
            os.close(handle)
            remove(folder)


def remove(folder: Path) -> None:
    """End every process of the engine in `folder`, unmount what it mounted, and remove the folder."""
    _end_processes(folder)
    for point in reversed(_mounts(folder)):
        _run("umount", "--lazy", point)
    for name in _bridges(folder):
        _run("ip", "link", "delete", name)
    shutil.rmtree(folder, ignore_errors=True)


def _end_processes(folder: Path) -> None:
    deadline = time.monotonic() + _KILL_SECONDS
    while (found := _processes(folder)) and time.monotonic() < deadline:
        for pid in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.05)


def _processes(folder: Path) -> list[int]:
    """The daemon, its containerd, proxies and shims by their arguments; containers as children of a shim."""
    found, parents = set(), {}
    for process in Path("/proc").glob("[0-9]*"):
        pid = int(process.name)
        with contextlib.suppress(OSError):
            if os.fsencode(f"{folder}/") in (process / "cmdline").read_bytes() and pid != os.getpid():
                found.add(pid)
            state, parent = (process / "stat").read_text().rpartition(")")[2].split()[:2]
            if state != "Z":
                parents[pid] = int(parent)
    grown = True
    while grown:
        children = {pid for pid, parent in parents.items() if parent in found} - found
        found |= children
        grown = bool(children)
    return sorted(found & parents.keys())


def _mounts(folder: Path) -> list[str]:
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    return [point for line in lines if (point := line.split()[4]).startswith(f"{folder}/")]


def _bridges(folder: Path) -> list[str]:
    """Bridges of the range that this folder's engine had."""
    note = folder / "addresses"
    if not note.is_file():
        return []
    prefix = note.read_text().split(".0.0/")[0] + "."
    return [name for name, address in _addresses() if address.startswith(prefix) and name.startswith("br-")]


def _addresses() -> list[tuple[str, str]]:
    """(interface, address) of this machine."""
    return re.findall(r"^\d+: (\S+)\s+inet (\S+)/", _run("ip", "-o", "-4", "address"), re.MULTILINE)


def _lock(path: Path) -> int | None:
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return None
    return handle


def _run(*command: str) -> str:
    """What it says; nothing where the machine has no such program or it fails."""
    with contextlib.suppress(FileNotFoundError):
        done = subprocess.run(command, env=_ENVIRONMENT, capture_output=True, text=True, timeout=20, check=False)
        return done.stdout
    return ""

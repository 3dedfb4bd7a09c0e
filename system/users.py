"""Operating-system users that servers run as, so that none of them runs as root or reads another's files.

Called by the supervisor (Berth's own PostgreSQL) and by the process provider (one user per project).
Without root there is one user for everything; `doctor` and `/health` say that isolation is off.
"""

from __future__ import annotations

import fcntl
import grp
import os
import pwd
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_NAME = re.compile(r"[a-z][a-z0-9-]{0,30}[a-z0-9]")
_LOCK = Path("/run/berth-users.lock")
_ENV = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"}
_COMMAND_SECONDS = 20.0
_PATIENCE_SECONDS = 10.0
# Exit codes of shadow's tools: the ones another attempt may change, and the one that means "already so".
_PASSWD_LOCKED, _NAME_TAKEN, _NO_SUCH_USER, _STILL_RUNNING, _PASSWD_BUSY = 1, 9, 6, 8, 10


class OsUserError(RuntimeError):
    """The operating system refused to make, use or remove a user."""


@dataclass(frozen=True)
class OsUser:
    name: str
    uid: int
    gid: int

    def spawn_arguments(self) -> dict[str, Any]:
        """Keywords for `subprocess` that start a program as this user; none when we are not root."""
        if not is_root():
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}


def is_root() -> bool:
    return os.geteuid() == 0


def current_user() -> OsUser:
    uid = os.geteuid()
    try:
        name = pwd.getpwuid(uid).pw_name
    except KeyError:  # a container started with a bare number
        name = str(uid)
    return OsUser(name, uid, os.getegid())


def ensure_user(name: str) -> OsUser:
    """The system user `name`, made when missing. Without root: the current user.

    Safe to call from several processes at once. Refuses a user who is root or in root's group.
    """
    if not _NAME.fullmatch(name):
        raise OsUserError(f"{name!r} cannot be an OS user name: 2-32 of a-z 0-9 -, starting with a letter")
    if not is_root():
        return current_user()
    found = _find(name)
    if found is None:
        with _one_at_a_time():
            found = _find(name) or _create(name)
    if found.uid == 0 or 0 in os.getgrouplist(name, found.gid):
        raise OsUserError(f"OS user {name} has root's id or group; servers must not run with it")
    return found


def remove_user(name: str) -> None:
    """Remove the user and its group. Gone already is fine; without root there is nothing to remove."""
    if not _NAME.fullmatch(name):
        raise OsUserError(f"{name!r} is not a name that ensure_user makes")
    if not is_root() or _find(name) is None:
        return
    with _one_at_a_time():
        _run(["userdel", name], fine=_NO_SUCH_USER)
        if _has_group(name):  # systems where userdel leaves the user's own group
            _run(["groupdel", name], fine=_NO_SUCH_USER)


def _find(name: str) -> OsUser | None:
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        return None
    return OsUser(entry.pw_name, entry.pw_uid, entry.pw_gid)


def _has_group(name: str) -> bool:
    try:
        grp.getgrnam(name)
    except KeyError:
        return False
    return True


def _create(name: str) -> OsUser:
    own_group = ["--gid", name] if _has_group(name) else ["--user-group"]
    home = ["--home-dir", "/nonexistent", "--no-create-home", "--shell", "/usr/sbin/nologin"]
    _run(["useradd", "--system", *own_group, *home, name], fine=_NAME_TAKEN)
    made = _find(name)
    if made is None:
        raise OsUserError(f"useradd reported success, but there is no user {name}")
    return made


def _run(command: list[str], fine: int) -> None:
    """Run one of shadow's tools, again while something else holds the password file or a process dies."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            done = subprocess.run(
                command,
                env=_ENV,
                cwd="/",
                capture_output=True,
                text=True,
                timeout=_COMMAND_SECONDS,
                check=False,
            )
        except FileNotFoundError:
            raise OsUserError(
                f"{command[0]} is not installed: install shadow's user tools, or do not run as root"
            ) from None
        if done.returncode in (0, fine):
            return
        passing = done.returncode in (_PASSWD_LOCKED, _STILL_RUNNING, _PASSWD_BUSY)
        if not passing or time.monotonic() > deadline:
            raise OsUserError(f"{' '.join(command)} failed ({done.returncode}): {done.stderr.strip()}")
        time.sleep(0.1)


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    """useradd does not wait for another useradd: it fails. So ours queue here."""
    handle = os.open(_LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)

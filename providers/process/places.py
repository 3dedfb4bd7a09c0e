"""Where the parts of one instance of `process` lie, and who may read and write them.

    <root>/<instance id>/      root, others may pass through (0711)
        data/  run/            the instance's user alone
        conf/                  root writes, the instance's group reads
        log/output.log         root alone; the instance holds it open, but cannot reach its path
        process.json           root alone: identity and process, see record.py
        initialised            the marker that `data` is whole
    <root>/.locks/             root alone, see locks.py
    <root>/.creating-…  .deleting-…   half-made and half-removed homes: a repeat finishes them

A home is never a link, and nothing below `data` or `run` is opened by a name that the instance could have planted.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from domain.errors import ProviderError, ProviderErrorKind
from domain.work import Home
from providers.process.disk import replace_file, sync_directory
from system.users import OsUser, is_root

_INSTANCE_ID = re.compile(r"[a-z0-9]+_[a-z0-9]+")
CREATING, DELETING, RECORD = ".creating-", ".deleting-", "process.json"


@dataclass(frozen=True)
class Place:
    root: Path
    instance_id: str

    def __post_init__(self) -> None:
        if not _INSTANCE_ID.fullmatch(self.instance_id):
            raise ProviderError(ProviderErrorKind.INVALID, f"{self.instance_id!r} is not an instance id")

    @property
    def home(self) -> Path:
        return self.root / self.instance_id

    @property
    def data(self) -> Path:
        return self.home / "data"

    @property
    def conf(self) -> Path:
        return self.home / "conf"

    @property
    def output(self) -> Path:
        return self.home / "log" / "output.log"

    @property
    def record_file(self) -> Path:
        return self.home / RECORD

    @property
    def marker(self) -> Path:
        return self.home / "initialised"

    @property
    def creating(self) -> Path:
        return self.root / f"{CREATING}{self.instance_id}"

    @property
    def deleting(self) -> Path:
        return self.root / f"{DELETING}{self.instance_id}"

    @property
    def locks(self) -> Path:
        return self.root / ".locks"

    @property
    def verb_lock(self) -> Path:
        return self.locks / f"{self.instance_id}.verb"

    @property
    def life_lock(self) -> Path:
        return self.locks / f"{self.instance_id}.life"

    def as_home(self) -> Home:
        parts = {name: PurePosixPath(self.home / name) for name in ("data", "conf", "run", "log")}
        return Home(root=PurePosixPath(self.home), **parts)

    def exists(self) -> bool:
        """Whether there is a home. Raises when something else, such as a link, stands in its place."""
        try:
            found = self.home.lstat()
        except FileNotFoundError:
            return False
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
            raise ProviderError(
                ProviderErrorKind.INVALID, f"{self.home} is not a directory of ours; it is left untouched"
            )
        return True


def prepare_root(root: Path) -> None:
    """Make the instance root so that other users can pass through it. What exists keeps its mode."""
    missing = [path for path in (root, *root.parents) if not path.exists()]
    for path in reversed(missing):
        path.mkdir(exist_ok=True)
        path.chmod(0o711)
    locks = root / ".locks"
    if not locks.is_dir():
        locks.mkdir(mode=0o700, exist_ok=True)


def require_reachable(root: Path, user: OsUser) -> None:
    """Raise when the instance's user cannot enter the root: initdb would fail there with a riddle."""
    if not is_root():
        return
    for path in (root, *root.parents):
        found = path.stat()
        own = (found.st_uid == user.uid, found.st_gid == user.gid, True)
        allowed = next(bit for bit, mine in zip((0o100, 0o010, 0o001), own, strict=True) if mine)
        if not found.st_mode & allowed:
            raise ProviderError(
                ProviderErrorKind.INVALID,
                f"OS user {user.name} cannot enter {path} (mode {stat.S_IMODE(found.st_mode):04o}); "
                "set BERTH_INSTANCE_ROOT to a directory that other users can pass through",
            )


def build(place: Place, user: OsUser, record: bytes) -> None:
    """Make the home whole or not at all: built beside its place and renamed, with its record inside."""
    shutil.rmtree(place.creating, ignore_errors=True)
    place.creating.mkdir()
    replace_file(place.creating / RECORD, record)
    for name, owner, mode in (
        ("data", user.uid, 0o700),
        ("run", user.uid, 0o700),
        ("conf", os.geteuid(), 0o750),
        ("log", os.geteuid(), 0o700),
    ):
        path = place.creating / name
        path.mkdir()
        _own(path, owner, user.gid if name != "log" else os.getegid(), mode)
    place.creating.chmod(0o711)
    place.creating.rename(place.home)
    sync_directory(place.root)


def write_files(place: Place, files: Mapping[str, str], user: OsUser) -> None:
    """Bring `conf` to exactly these files, each replaced whole."""
    for name, text in files.items():
        path = place.conf / name
        if path.parent != place.conf:
            raise ValueError(f"a recipe's file must lie directly below conf: {name!r}")
        replace_file(path, text.encode(), owner=(os.geteuid(), user.gid), mode=0o640)
    for path in place.conf.iterdir():
        if path.name not in files:
            path.unlink()


def empty_data(place: Place, user: OsUser) -> None:
    """A fresh `data`: what an interrupted initialisation left is worth nothing."""
    place.marker.unlink(missing_ok=True)
    shutil.rmtree(place.data)
    place.data.mkdir()
    _own(place.data, user.uid, user.gid, 0o700)


def mark_initialised(place: Place) -> None:
    replace_file(place.marker, b"")


def discard(place: Place) -> None:
    """Remove the home. Renamed first: from then on there is no instance, only rubbish to finish with."""
    if place.exists():
        shutil.rmtree(place.deleting, ignore_errors=True)
        place.home.rename(place.deleting)
        sync_directory(place.root)
    for rubbish in (place.deleting, place.creating):
        if rubbish.exists():
            shutil.rmtree(rubbish)


def _own(path: Path, uid: int, gid: int, mode: int) -> None:
    if is_root():
        os.chown(path, uid, gid)
    path.chmod(mode)

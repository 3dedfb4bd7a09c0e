"""Where the programs of a recipe come from: PostgreSQL of a major version, or Python."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

from domain.errors import ProviderError, ProviderErrorKind
from system.postgres_runtime import RuntimeMissingError, install_runtime
from system.users import is_root

_POSTGRESQL = "postgresql-"
_SYSTEM_PYTHON = Path("/usr/bin/python3")


class Runtimes:
    """Programs that every OS user can execute. `root` is where copies are kept."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def program(self, runtime: str, name: str) -> Path:
        try:
            if runtime.startswith(_POSTGRESQL):
                return install_runtime(self._root, int(runtime.removeprefix(_POSTGRESQL))).program(name)
        except RuntimeMissingError as error:
            raise ProviderError(ProviderErrorKind.INVALID, str(error)) from None
        if runtime == "python":
            return _python()
        raise ProviderError(ProviderErrorKind.INVALID, f"there is no runtime {runtime!r} on this host")


def _python() -> Path:
    """The system's Python, or ours where every user can reach it (a clone below root's home is closed to them)."""
    own = Path(sys.executable).resolve()
    for candidate in (_SYSTEM_PYTHON, own):
        if candidate.exists() and (not is_root() or _is_open_to_all(candidate.resolve())):
            return candidate
    raise ProviderError(
        ProviderErrorKind.INVALID,
        f"no Python that an instance's user may run: install {_SYSTEM_PYTHON} (now: {own})",
    )


def _is_open_to_all(path: Path) -> bool:
    folders = all(parent.stat().st_mode & stat.S_IXOTH for parent in path.parents)
    return folders and os.access(path, os.X_OK) and bool(path.stat().st_mode & stat.S_IXOTH)

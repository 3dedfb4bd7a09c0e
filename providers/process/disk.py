"""Writing files whole or not at all, and saying clearly when the disk is full.

Used by the process provider for everything that must survive a crash.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from domain.errors import ProviderError, ProviderErrorKind

_FULL = (errno.ENOSPC, errno.EDQUOT)


def replace_file(path: Path, content: bytes, *, owner: tuple[int, int] | None = None, mode: int = 0o600) -> None:
    """Replace `path`: readers see the old content or the new, also after a crash."""
    unfinished = path.with_name(f".{path.name}.new")
    unfinished.unlink(missing_ok=True)
    handle = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        if owner is not None and os.geteuid() == 0:
            os.fchown(file.fileno(), *owner)
        os.fchmod(file.fileno(), mode)
        os.fsync(file.fileno())
    unfinished.replace(path)
    sync_directory(path.parent)


def sync_directory(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def free_mb(path: Path) -> int:
    there = next(folder for folder in (path, *path.parents) if folder.exists())
    return shutil.disk_usage(there).free // (1 << 20)


def require_space(path: Path, needed_mb: int) -> None:
    free = free_mb(path)
    if free < needed_mb:
        raise ProviderError(
            ProviderErrorKind.NO_CAPACITY,
            f"{path} has {free} MB free and the instance needs {needed_mb} MB to start; free some space",
        )


@contextmanager
def clear_errors(path: Path) -> Iterator[None]:
    """Turn the operating system's refusals into what a person can act on."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise ProviderError(
                ProviderErrorKind.NO_CAPACITY,
                f"the disk of {path} is full ({free_mb(path)} MB free); free some space and retry",
            ) from None
        where = f" ({error.filename})" if error.filename else ""
        raise ProviderError(
            ProviderErrorKind.TRANSIENT, f"the operating system refused: {error.strerror or error}{where}"
        ) from None

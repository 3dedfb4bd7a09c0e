"""The two locks of an instance. The kernel drops both with the last process that holds them.

*verb*: one attempt works on the instance at a time, also when an old attempt has not noticed that it was replaced.
*life*: taken by whoever starts the instance and inherited by the instance itself and all of its children. While
any of them lives, nobody can take it – not even when the starter was killed between fork and exec, or before it
wrote down whom it started. So a second process cannot be started, and holding the lock proves that none lives.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from domain.errors import ProviderError, ProviderErrorKind
from domain.work import Call

_PATIENCE_SECONDS = 15.0
_STEP_SECONDS = 0.02


def try_lock(path: Path) -> int | None:
    """A handle that holds the lock, or None. Read-only: an instance that inherits it can write nothing."""
    while True:
        handle = os.open(path, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            return None
        if _is_still(path, handle):
            return handle
        os.close(handle)  # its holder removed the file with the instance; lock the new one


def is_free(path: Path) -> bool:
    """Whether somebody could take the lock now. A missing file proves nothing: false. Askers do not meet."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(handle)
    return True


@contextmanager
def exclusive(path: Path, call: Call) -> Iterator[None]:
    """Wait for the verb lock, a bounded time."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while (handle := try_lock(path)) is None:
        if time.monotonic() > deadline:
            raise ProviderError(
                ProviderErrorKind.TRANSIENT, "another attempt is still at work on this instance", retry_after=2.0
            )
        call.sleep(_STEP_SECONDS)
    try:
        yield
    finally:
        os.close(handle)


def _is_still(path: Path, handle: int) -> bool:
    try:
        now = path.lstat()
    except FileNotFoundError:
        return False
    return now.st_ino == os.fstat(handle).st_ino

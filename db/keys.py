"""The key file of an installation: Fernet keys, one a line, newest first. Read again whenever it has changed.

The newest encrypts, all decrypt, the oldest signs: objects out there carry signatures that no rotation can renew.
Several processes share the file; one of them puts a new key in front, and the others see it with their next use.
"""

from __future__ import annotations

import os
from pathlib import Path

from cryptography.fernet import Fernet, MultiFernet

from domain.errors import BerthError

_Version = tuple[int, int, int]


class WrongKey(BerthError):
    """The key file does not belong to this database."""

    code = "wrong-key"


class KeyFile:
    """The keys as the file holds them now. Safe to use from several threads."""

    def __init__(self, path: Path) -> None:
        """Raises `WrongKey` when there is nothing usable."""
        self._path = path
        self._version = self._seen()
        self._keys = self._read()
        self._fernet = MultiFernet([Fernet(key) for key in self._keys])

    @property
    def oldest(self) -> bytes:
        """The key that signs, for ever."""
        return self._keys[-1]

    def fernet(self) -> MultiFernet:
        """All keys, the newest first. A file that is away, or of other keys, changes nothing."""
        version = self._seen()
        if version != self._version and version is not None:
            self._take_over(version)
        return self._fernet

    def _take_over(self, version: _Version) -> None:
        keys = self._read()
        if keys[-1] == self._keys[-1]:
            self._keys, self._fernet = keys, MultiFernet([Fernet(key) for key in keys])
        self._version = version

    def add(self) -> int:
        """Put a new key in front, whole or not at all. Returns how many there are now.

        What was the newest stays, because somebody may be encrypting with it at this moment, and so does the
        oldest; what was rotated away before that is not needed any more.
        """
        keys = list(dict.fromkeys([Fernet.generate_key(), self._read()[0], self.oldest]))
        draft = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        draft.unlink(missing_ok=True)
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "wb") as file:
            file.write(b"".join(key + b"\n" for key in keys))
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self._path)
        self.fernet()
        return len(keys)

    def _seen(self) -> _Version | None:
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size

    def _read(self) -> list[bytes]:
        try:
            keys = self._path.read_bytes().split()
        except FileNotFoundError:
            raise WrongKey(f"The key file {self._path} is missing; restore it from a backup.") from None
        if not keys:
            raise WrongKey(f"The key file {self._path} is empty; restore it from a backup.")
        return keys

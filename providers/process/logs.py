"""The output of an instance: bounded on disk, and read from its end.

The instance writes straight into the file it inherited, so that it depends on no process of ours. The price: only
we can bound the file, at every verb and observation, by copying its end aside and emptying it; lines written
between the two are lost. Appending makes the instance go on at the new end.
"""

from __future__ import annotations

import os
from pathlib import Path

from providers.process.disk import replace_file

LIMIT_BYTES = 8 << 20
_READ_BYTES = 256 << 10
_LONGEST_LINE = 4096


def open_output(path: Path) -> int:
    """A handle for the instance's stdout and stderr."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
    return os.open(path, flags, 0o600)


def size(path: Path) -> int:
    try:
        return path.lstat().st_size
    except FileNotFoundError:
        return 0


def rotate(path: Path, limit: int = LIMIT_BYTES) -> None:
    """Keep at most `limit` bytes of old output beside the current file."""
    if size(path) <= limit:
        return
    try:
        replace_file(_previous(path), _end_of(path, limit))
    finally:  # on a full disk above all
        os.truncate(path, 0)


def tail(path: Path, lines: int, *, since: int = 0) -> list[str]:
    """The last lines, oldest first, from the previous file too when the current one is short."""
    wanted = max(lines, 0)
    if wanted == 0:
        return []
    found = _lines(_end_of(path, _READ_BYTES, since))
    if len(found) < wanted and since == 0:
        found = _lines(_end_of(_previous(path), _READ_BYTES)) + found
    return found[-wanted:]


def _previous(path: Path) -> Path:
    return path.with_name(path.name + ".1")


def _end_of(path: Path, most: int, since: int = 0) -> bytes:
    """At most the last `most` bytes after offset `since`, from the start of a line."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return b""
    with os.fdopen(handle, "rb") as file:
        length = file.seek(0, os.SEEK_END)
        start = file.seek(max(length - most, since))
        cut = start > since
        content = file.read(most)
    return content.partition(b"\n")[2] if cut else content


def _lines(content: bytes) -> list[str]:
    return [line[:_LONGEST_LINE] for line in content.decode(errors="replace").splitlines()]

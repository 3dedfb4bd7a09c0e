"""Commands of ours on a pseudo-terminal, or followed line by line through a pipe."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.api import TOKEN
from tests.support.patience import busy

ROOT = Path(__file__).resolve().parents[2]
_PATIENCE = 30.0
"""Of an interpreter that starts beside others; where all is well nobody waits for it."""


class Terminal:
    """A program on a pseudo-terminal, and all that it wrote."""

    def __init__(
        self, arguments: tuple[str, ...], environment: dict[str, str], program: tuple[str, ...] = ("-m", "cli")
    ) -> None:
        self._master, slave = pty.openpty()
        self._size(24, 120)
        self.process = subprocess.Popen(
            [sys.executable, *program, *arguments],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=environment,
            cwd=ROOT,
        )
        os.close(slave)
        self._written = b""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        while True:
            try:
                chunk = os.read(self._master, 4096)
            except OSError:  # what Linux says when the last writer has gone
                return
            if not chunk:
                return
            self._written += chunk

    @property
    def text(self) -> str:
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self._written.decode(errors="replace"))

    def until(self, words: str) -> None:
        self.until_after(0, words)

    def until_after(self, mark: int, words: str) -> None:
        """As `until`, among what came after the first `mark` bytes."""
        deadline = time.monotonic() + _PATIENCE * busy()
        while words not in self.since(mark):
            assert time.monotonic() < deadline, f"{words!r} never came; only: {self.since(mark)}"
            time.sleep(0.02)

    def type(self, words: str) -> None:
        os.write(self._master, words.encode())

    def end(self) -> int:
        code = self.process.wait(_PATIENCE * busy())
        self._reader.join(_PATIENCE)
        return code

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(_PATIENCE)
        self._reader.join(_PATIENCE)
        os.close(self._master)

    def resize(self, rows: int, columns: int) -> None:
        """As when somebody drags the corner of the window."""
        self._size(rows, columns)
        self.process.send_signal(signal.SIGWINCH)

    def _size(self, rows: int, columns: int) -> None:
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    @property
    def mark(self) -> int:
        """How much was written until now."""
        return len(self._written)

    def since(self, mark: int) -> str:
        """What came after the first `mark` bytes, as text."""
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self._written[mark:].decode(errors="replace"))


def environment(url: str, token: str) -> dict[str, str]:
    """What a person's terminal has set."""
    return {
        "BERTH_URL": url,
        "BERTH_TOKEN": token,
        "TERM": "xterm-256color",
        "PATH": "/usr/bin:/bin",
        "HOME": "/nonexistent",
        "LANG": "C.UTF-8",
    }


@dataclass
class Lines:
    """A command whose standard output is a pipe of lines."""

    process: subprocess.Popen[str]
    objects: list[Any] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    def until(self, fits: Callable[[], bool], seconds: float = _PATIENCE) -> None:
        deadline = time.monotonic() + seconds * busy()
        while not fits():
            assert time.monotonic() < deadline, (self.objects, self.remarks)
            time.sleep(0.02)

    def end(self) -> int:
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(_PATIENCE * busy())


@contextmanager
def lines(
    url: str, *arguments: str, token: str = TOKEN, read_as: Callable[[str], Any] = json.loads
) -> Iterator[Lines]:
    command = [sys.executable, "-m", "cli", *arguments, *(["--json"] if read_as is json.loads else [])]
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "cwd": ROOT}
    with subprocess.Popen(command, env=environment(url, token), **pipes) as process:
        running = Lines(process)

        def read(stream: Any, take: Callable[[str], None]) -> None:
            for line in stream:
                take(line)

        out = threading.Thread(target=read, args=(process.stdout, lambda x: running.objects.append(read_as(x))))
        err = threading.Thread(target=read, args=(process.stderr, running.remarks.append))
        out.start()
        err.start()
        try:
            yield running
        finally:
            process.kill()
            process.wait(_PATIENCE)
            out.join(_PATIENCE)
            err.join(_PATIENCE)

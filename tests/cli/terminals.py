"""A program of ours on a pseudo-terminal."""

from __future__ import annotations

import fcntl
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
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


class Terminal:
    """A program on a pseudo-terminal, and all that it wrote."""

    def __init__(self, arguments: tuple[str, ...], environment: dict[str, str]) -> None:
        self._master, slave = pty.openpty()
        self._size(24, 120)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "cli", *arguments],
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
        deadline = time.monotonic() + 20
        while words not in self.text:
            assert time.monotonic() < deadline, f"{words!r} never came; only: {self.text}"
            time.sleep(0.02)

    def type(self, words: str) -> None:
        os.write(self._master, words.encode())

    def end(self) -> int:
        code = self.process.wait(20)
        self._reader.join(5)
        return code

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(5)
        self._reader.join(5)
        os.close(self._master)

    def resize(self, rows: int, columns: int) -> None:
        """As when somebody drags the corner of the window."""
        self._size(rows, columns)
        self.process.send_signal(signal.SIGWINCH)

    def _size(self, rows: int, columns: int) -> None:
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    @property
    def written(self) -> bytes:
        """All of it, with what steers the terminal."""
        return self._written

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

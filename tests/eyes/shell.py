"""One shell, set up once as the runbook says and used for all its commands: as an operator has it."""

from __future__ import annotations

import os
import re
import select
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_MARK = "-- ended --"
_END = re.compile(rf"\n{_MARK} (\d+)\n\Z")


@dataclass(frozen=True)
class Ran:
    """What a command printed, on both streams, and its exit code."""

    code: int
    said: str


class Shell:
    """`run` sees a command to its end; functions and variables stay, as they do on a terminal."""

    def __init__(self, env: Mapping[str, str], folder: Path) -> None:
        self._process = subprocess.Popen(
            ["bash", "--norc", "--noprofile"],
            env=dict(env),
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    def run(self, command: str, seconds: float = 120) -> Ran:
        """Raises `TimeoutError` for one that does not end, with what it has said."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{{ {command}\n}} </dev/null; printf '\\n{_MARK} %s\\n' $?\n".encode())
        self._process.stdin.flush()
        said = self._until_ended(command, time.monotonic() + seconds)
        found = _END.search(said)
        assert found is not None
        return Ran(int(found[1]), said[: found.start()])

    def close(self) -> None:
        for stream in (self._process.stdin, self._process.stdout):
            assert stream is not None
            stream.close()
        self._process.kill()
        self._process.wait(60)

    def _until_ended(self, command: str, deadline: float) -> str:
        assert self._process.stdout is not None
        output, said = self._process.stdout.fileno(), b""
        while not _END.search(said.decode(errors="replace")):
            if not select.select([output], [], [], max(0.0, deadline - time.monotonic()))[0]:
                raise TimeoutError(f"{command}\n{said.decode(errors='replace')}")
            more = os.read(output, 65536)
            assert more, f"the shell ended at {command}\n{said.decode(errors='replace')}"
            said += more
        return said.decode(errors="replace")

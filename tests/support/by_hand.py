"""Starting an instance's own command line as a person would who kept it: past Berth, with the same marks."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from system import processes


@dataclass(frozen=True)
class CommandLine:
    program: str
    arguments: tuple[str, ...]
    environment: Mapping[str, str]
    directory: str
    user: Mapping[str, Any]

    @classmethod
    def of(cls, pid: int) -> CommandLine:
        """What runs as `pid` now."""
        proc, facts = Path("/proc", str(pid)), processes.look(pid)
        assert facts is not None
        group = next(line.split()[2] for line in (proc / "status").read_text().splitlines() if line[:4] == "Gid:")
        user = {"user": facts.uid, "group": int(group), "extra_groups": []} if os.geteuid() == 0 else {}
        arguments = tuple((proc / "cmdline").read_bytes().decode().removesuffix("\0").split("\0"))
        return cls(
            str((proc / "exe").readlink()),
            arguments,
            processes.environment(facts.id),
            str((proc / "cwd").readlink()),
            user,
        )

    def start(self, **other: str | None) -> int:
        """`other` environment variables; None: without that one. The caller's fixture ends it."""
        environment = {key: value for key, value in {**self.environment, **other}.items() if value is not None}
        child = subprocess.Popen(
            self.arguments,
            executable=self.program,
            env=environment,
            cwd=self.directory,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            **self.user,
        )
        child.returncode = 0  # it is nobody's child that waits; Popen would warn of it
        return child.pid

"""What `berth up` tells: a line per step and a box for people, JSON lines for programs.

Steps are progress and go to stderr; the result goes to stdout. Nothing here holds a secret.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.panel import Panel


@dataclass(frozen=True)
class Ready:
    """The facts of a running Berth, for `berth up` and `berth status`. A part that is not ours has no pid."""

    url: str
    temporal_ui: str
    temporal_address: str
    data_dir: Path
    seconds: float
    pids: dict[str, int | None]

    def as_record(self) -> dict[str, Any]:
        return {
            "event": "ready",
            "url": self.url,
            "temporal_ui": self.temporal_ui,
            "temporal_address": self.temporal_address,
            "data_dir": str(self.data_dir),
            "seconds": round(self.seconds, 2),
            "pids": self.pids,
        }


@dataclass
class Report:
    as_json: bool
    started: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self._out = Console(file=sys.stdout, highlight=False, soft_wrap=True)
        self._progress = Console(file=sys.stderr, highlight=False, soft_wrap=True)
        self._last = self.started

    def seconds(self) -> float:
        return time.monotonic() - self.started

    def header(self, version: str, data_dir: Path) -> None:
        self._progress.print(
            f"berth {version}   data {data_dir}   (all local, nothing leaves this machine)", markup=False
        )

    def step(self, name: str, text: str) -> None:
        """One finished step, with the time since the step before."""
        now = time.monotonic()
        took, self._last = now - self._last, now
        self._progress.print(f"[green]✓[/] {name:<10} {escape(text):<60} {took:5.1f}s")

    def note(self, text: str) -> None:
        self._progress.print(f"· {text}", markup=False)

    def warn(self, text: str) -> None:
        self._progress.print(f"! {text}", style="yellow", markup=False)

    def ready(self, facts: Ready, pages: Mapping[str, str]) -> None:
        """`pages`: what a browser can open, by its title."""
        if self.as_json:
            self._line(facts.as_record())
            return
        lines = [f"{title:<9} {address}" for title, address in pages.items()]
        lines.append("Next      berth create demo --blueprint postgres --wait")
        lines.append("Ctrl-C stops Berth; instances go on and data is kept")
        title = f"Berth is ready in {facts.seconds:.1f} s"
        self._out.print(Panel(escape("\n".join(lines)), title=title, title_align="left", expand=False))

    def child_restarted(self, name: str, pid: int | None, why: str) -> None:
        if self.as_json:
            self._line({"event": "child_restarted", "child": name, "pid": pid})
        self.warn(f"{name} {why}; started again as pid {pid}")

    def _line(self, record: dict[str, Any]) -> None:
        """One JSON object per line, whole even when the reader is a pipe."""
        sys.stdout.write(json.dumps(record) + "\n")
        sys.stdout.flush()

"""The entry point of `berth`, as thin as can be: prompts and scripts ask for the version all the time."""

from __future__ import annotations

import os
import sys
from io import TextIOWrapper
from pathlib import Path

from cli.version import print_version


def main() -> None:
    """Run the command line."""
    if sys.argv[1:] == ["--version"]:
        print_version(True)
    _make_writable()
    from cli.program import app

    app(prog_name="berth")


def _make_writable() -> None:
    """A stream that the caller has closed, or that cannot write everything, is no reason to break off."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115 - to the end
        elif isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")

"""The entry point of `berth`, as thin as can be: prompts and scripts ask for the version all the time."""

from __future__ import annotations

import sys

from cli.version import print_version


def main() -> None:
    """Run the command line."""
    if sys.argv[1:] == ["--version"]:
        print_version(True)
    from cli.program import app

    app(prog_name="berth")

"""The entry point of `berth`, as thin as can be: prompts and scripts ask for the version all the time."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line."""
    if sys.argv[1:] == ["--version"]:
        print_version(True)
    from cli.program import app

    app(prog_name="berth")


def print_version(asked: bool) -> None:
    """Answer `--version`, before anything heavy is imported."""
    if asked:
        from importlib.metadata import PackageNotFoundError, version

        try:
            sys.stdout.write(f"berth {version('berth')}\n")
        except PackageNotFoundError:
            sys.stdout.write("berth, from a source tree that is not installed\n")
        raise SystemExit(0)

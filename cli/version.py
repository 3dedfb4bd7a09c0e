"""The version, before anything heavy is imported: prompts and scripts ask for it all the time."""

from __future__ import annotations

import sys


def print_version(asked: bool) -> None:
    """Answer `--version`, before anything heavy is imported."""
    if asked:
        from importlib.metadata import PackageNotFoundError, version

        try:
            sys.stdout.write(f"berth {version('berth')}\n")
        except PackageNotFoundError:
            sys.stdout.write("berth, from a source tree that is not installed\n")
        raise SystemExit(0)

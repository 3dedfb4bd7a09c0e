"""Words of a test for whoever reads its output: shown with `pytest -s`, and whenever the test fails."""

from __future__ import annotations

import sys


def say(text: str) -> None:
    sys.stdout.write(f"\n{text}\n")

"""Files that are made from code: write them, or say which ones differ. Used by the other scripts here."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[1]


def settle(files: Mapping[Path, str], *, check: bool) -> int:
    """Write what differs; with `check` only name it and return 1."""
    stale = [path for path, text in files.items() if not path.is_file() or path.read_text() != text]
    for path in stale:
        if check:
            sys.stderr.write(f"{path.relative_to(ROOT)} is not what the code says; run `make docs`\n")
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(files[path])
    return 1 if check and stale else 0

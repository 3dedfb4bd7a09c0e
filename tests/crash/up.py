"""`berth up --json` whose restarts are not slowed down: here a part dies every few seconds, on purpose.

`python -m tests.crash.up DATA_DIR`.
"""

from __future__ import annotations

import sys
from pathlib import Path

from embedded import children
from embedded.report import Report
from embedded.supervisor import Options, up
from settings import Settings


def main() -> None:
    children._LONGEST_PAUSE = 0.5
    up(Settings(), Options(Path(sys.argv[1])), Report(as_json=True))


if __name__ == "__main__":
    main()

"""`berth up --json` with stand-ins for worker, API and migration: `python -m tests.embedded.run_up ARGUMENTS`.

Arguments: the data directory, then `port=N`, `timeout=N`, or `worker=NAME` and the like for another stand-in, or
`worker=MODULE:FUNCTION` for the real one.
"""

from __future__ import annotations

import sys
from pathlib import Path

from embedded.errors import LocalError
from embedded.report import Report
from embedded.supervisor import Options, up
from settings import Settings


def main() -> int:
    data_dir, *rest = sys.argv[1:]
    given = dict(argument.split("=", 1) for argument in rest)
    port, timeout = given.pop("port", None), float(given.pop("timeout", "60"))
    names = {"schema": "schema", "api": "api", "worker": "worker"} | given
    targets = {child: name if ":" in name else f"tests.embedded.standins:{name}" for child, name in names.items()}
    options = Options(Path(data_dir), int(port) if port else None, timeout, targets)
    try:
        up(Settings(), options, Report(as_json=True))
    except LocalError as error:
        sys.stderr.write(f"error: {error}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Write docs/openapi.json from the routes; `--check` fails when the committed one differs.

Run by `make docs` and `make check`. Clients are generated from it, so a difference is a change to be reviewed.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

from api.app import create_app
from api.docs import document
from scripts.generated import ROOT, settle
from settings import Settings

TARGET = ROOT / "docs" / "openapi.json"


def text() -> str:
    """The document as it is committed: sorted, so that a diff shows what changed and nothing else."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "token").write_text("unused")
        app = create_app(Settings(data_dir=Path(folder)))
    return json.dumps(document(app), indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def main() -> int:
    """Entry of `python -m scripts.openapi`."""
    return settle({TARGET: text()}, check="--check" in sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())

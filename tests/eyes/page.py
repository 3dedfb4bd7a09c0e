"""The runbook as its reader has it: a section for every alert, and the commands in it."""

from __future__ import annotations

import re
from pathlib import Path

PAGE = (Path(__file__).parents[2] / "docs" / "runbook.md").read_text()
SECTIONS = dict(re.findall(r"^### (Berth\w+)\n(.*?)(?=^##|\Z)", PAGE, re.MULTILINE | re.DOTALL))
_BLOCK = re.compile(r"^```bash\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def commands(text: str) -> list[str]:
    """One a line, as they stand on the page."""
    return [line for block in _BLOCK.findall(text) for line in block.splitlines() if line.strip()]


def preamble() -> str:
    """How the page sets a shell up; the data directory is the test's."""
    first = _BLOCK.findall(PAGE[: PAGE.index("## Lives")])[0]
    return "\n".join(line for line in first.splitlines() if not line.startswith("export BERTH_DATA_DIR"))


def filled(command: str, names: dict[str, str]) -> str:
    """The command with the page's placeholders filled in."""
    for placeholder, value in names.items():
        command = re.sub(rf"(?<![\w$]){placeholder}(?![\w=])", value, command)
    return command

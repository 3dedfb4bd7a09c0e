"""Every command of the runbook, run in the order of its page against a Berth in which that very part is broken."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.eyes.alerting import rules
from tests.eyes.breaking import BREAKS, Broken, Standing
from tests.support.workers import wait_for

pytestmark = [pytest.mark.processes, pytest.mark.crash]

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


def test_the_page_has_a_section_with_commands_for_every_alert() -> None:
    assert set(SECTIONS) == set(rules())
    assert set(BREAKS) == set(rules())
    assert [name for name, text in SECTIONS.items() if not commands(text)] == []


@pytest.mark.timeout(300)
@pytest.mark.parametrize("alert", BREAKS)
def test_its_commands_help(alert: str, standing: Standing) -> None:
    breaks: Callable[[Standing], AbstractContextManager[Broken]] = BREAKS[alert]
    said = ""
    with breaks(standing) as broken:
        for command in commands(SECTIONS[alert]):
            ran = standing.shell(f"{preamble()}\n{filled(command, broken.names)}")
            assert ran.returncode == 0, f"{command}\n{ran.stdout}\n{ran.stderr}"
            said += ran.stdout + ran.stderr
        for shown in broken.shows:
            assert re.search(shown, said), f"{shown!r} was not shown:\n{said}"
        wait_for(broken.mended, 45, f"{alert}: the commands did not help\n{said}")
    wait_for(standing.ready, 60, "it did not come back")

"""Every command of the runbook, run in the order of its page against a Berth in which that very part is broken."""

from __future__ import annotations

import re

import pytest

from tests.eyes.alerting import rules
from tests.eyes.breaking import BREAKS, BY_A_WORKER_THAT_HANGS, Broken, worker_hangs
from tests.eyes.page import SECTIONS, commands, filled
from tests.eyes.standing import Standing
from tests.support.workers import wait_for

pytestmark = [pytest.mark.processes, pytest.mark.crash]


def test_the_page_has_a_section_with_commands_for_every_alert() -> None:
    assert set(SECTIONS) == set(rules())
    assert {*BREAKS, *BY_A_WORKER_THAT_HANGS} == set(rules())
    assert [name for name, text in SECTIONS.items() if not commands(text)] == []


@pytest.mark.timeout(300)
@pytest.mark.parametrize("alert", BREAKS)
def test_its_commands_help(alert: str, standing: Standing) -> None:
    with BREAKS[alert](standing) as broken:
        said = _run(alert, broken, standing)
        wait_for(broken.mended, 45, f"{alert}: the commands did not help\n{said}")
    wait_for(standing.ready, 60, "it did not come back")


@pytest.mark.timeout(300)
def test_the_commands_for_a_worker_that_hangs_help(standing: Standing) -> None:
    with worker_hangs(standing) as found:
        assert tuple(found) == BY_A_WORKER_THAT_HANGS
        for alert, broken in found.items():
            said = _run(alert, broken, standing)
        wait_for(broken.mended, 45, f"the commands did not help\n{said}")
    wait_for(standing.ready, 60, "it did not come back")


def _run(alert: str, broken: Broken, standing: Standing) -> str:
    """All of a section; what they have said together."""
    said = ""
    for command in commands(SECTIONS[alert]):
        ran = standing.shell.run(filled(command, broken.names))
        assert ran.code == 0, f"{command}\n{ran.said}"
        said += ran.said
    for shown in broken.shows:
        assert re.search(shown, said), f"{alert}: {shown!r} was not shown:\n{said}"
    return said

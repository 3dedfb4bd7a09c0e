"""One child: its log, its pauses between restarts, and that it dies with its parent."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from embedded import children, lives
from embedded.children import Backoff, Child, Running, bound_log
from tests.embedded.conftest import wait_for

pytestmark = pytest.mark.unit


def test_the_first_restart_is_immediate_and_the_next_one_waits() -> None:
    now = 100.0
    backoff = Backoff(clock=lambda: now)
    backoff.died(lived_seconds=1)
    assert backoff.is_due()
    backoff.died(lived_seconds=1)
    assert not backoff.is_due()
    now += 0.5
    assert backoff.is_due()


def test_a_long_life_forgives_earlier_deaths() -> None:
    backoff = Backoff()
    for _ in range(5):
        backoff.died(lived_seconds=1)
    backoff.died(lived_seconds=3600)
    assert backoff.deaths == 1
    assert backoff.is_due()


def test_a_log_keeps_one_older_generation_while_its_writer_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(children, "_LOG_BYTES", 10)
    log = tmp_path / "api.log"
    with log.open("a") as writer:
        for text in ("a long first line\n", "a long second line\n", "third\n"):
            writer.write(text)
            writer.flush()
            bound_log(log)
    assert log.read_text() == "third\n"
    assert (tmp_path / "api.1.log").read_text() == "a long second line\n"


def test_a_child_inherits_nothing_from_our_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGPORT", "1")
    log = tmp_path / "log"
    code = "import os; print(sorted(set(os.environ) - {'LC_CTYPE'}))"
    running = Running(Child("probe", (sys.executable, "-c", code), {"GIVEN": "1"}, log))
    assert running.wait(60)
    assert log.read_text() == "['GIVEN']\n"


def test_a_gated_child_does_nothing_before_the_gate_opens_and_nothing_when_it_never_does(tmp_path: Path) -> None:
    log = tmp_path / "log"
    argv = (sys.executable, "-m", "embedded.gate", "tests.embedded.standins:broken_schema")
    opened, closed = (Running(Child("probe", argv, {}, log, gated=True)) for _ in range(2))
    assert not opened.wait(0.5)
    opened.open_gate()
    assert opened.wait(60)
    assert opened.exit_code() == 1
    assert "newer than this program" in log.read_text()
    closed.close_gate()
    assert closed.wait(60)
    assert closed.exit_code() == 0


@pytest.mark.crash
def test_a_child_dies_with_a_killed_parent() -> None:
    code = (
        "import sys, time; from pathlib import Path; from embedded.children import Child, Running\n"
        "child = Running(Child('probe', ('/bin/sleep', '60'), {}, Path('/dev/null')))\n"
        "print(child.pid, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert lives.identify(pid) is not None
        parent.kill()
        wait_for(lambda: lives.identify(pid) is None)

"""The command line against a whole, real Berth: `berth up`, then what a person would do in the first minutes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

pytestmark = [pytest.mark.servers, pytest.mark.processes]

ROOT = Path(__file__).resolve().parents[2]
BERTH = [sys.executable, "-m", "cli"]
ENVIRONMENT = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), "LANG": "C.UTF-8"}


@dataclass(frozen=True)
class Ran:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        return json.loads(self.out)


@dataclass(frozen=True)
class RealBerth:
    """A running Berth and the command line for it."""

    data_dir: Path
    ready: dict[str, Any]

    def __call__(self, *arguments: str, stdin: str | None = None) -> Ran:
        command = [*BERTH, "--data-dir", str(self.data_dir), *arguments]
        pipes: dict[str, Any] = {"input": stdin, "capture_output": True, "text": True, "timeout": 120}
        done = subprocess.run(command, cwd=ROOT, env=ENVIRONMENT, check=False, **pipes)
        return Ran(done.returncode, done.stdout, done.stderr)

    def must(self, *arguments: str, stdin: str | None = None) -> Ran:
        """The command has to succeed."""
        ran = self(*arguments, stdin=stdin)
        assert ran.code == 0, (arguments, ran)
        return ran


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealBerth]:
    data_dir = tmp_path_factory.mktemp("berth")
    log = (data_dir.parent / "up.err").open("w")
    up = subprocess.Popen(
        [*BERTH, "up", "--data-dir", str(data_dir), "--json"],
        cwd=ROOT,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=log,
        text=True,
    )
    assert up.stdout is not None
    try:
        line = up.stdout.readline()
        assert line, Path(log.name).read_text(encoding="utf-8")
        yield RealBerth(data_dir, json.loads(line))
    finally:
        up.send_signal(signal.SIGINT)
        up.wait(60)
        up.stdout.close()
        log.close()
        down = [*BERTH, "down", "--data-dir", str(data_dir), "--purge", "--yes"]
        subprocess.run(down, cwd=ROOT, env=ENVIRONMENT, capture_output=True, timeout=120, check=True)


def test_a_postgres_server_lives_its_life(real: RealBerth) -> None:
    made = real.must("create", "pg", "--blueprint", "postgres", "--set", "max_connections=40", "--wait", "--json")
    assert made.document["instance"]["status"] == "running"
    assert made.document["operation"]["status"] == "succeeded"
    assert real.must("psql", "pg", "--", "-Atc", "show max_connections").out == "40\n"
    revealed = real.must("get", "pg", "--show-secret", "--json").document
    assert revealed["connection_uri"].startswith("postgresql://app:")

    document = yaml.safe_load(real.must("get", "pg", "-o", "yaml").out)
    unchanged = real.must("apply", "-f", "-", "--json", stdin=yaml.safe_dump(document)).document
    assert unchanged["operation"]["changed"] is False
    document["params"]["max_connections"] = 50
    document["labels"] = {"team": "core"}
    wanted = yaml.safe_dump(document)
    (real.data_dir / "pg.yaml").write_text(wanted, encoding="utf-8")
    planned = real("plan", "-f", str(real.data_dir / "pg.yaml"), "--detailed-exitcode")
    assert planned.code == 10
    assert "disruption: restart" in planned.out
    assert real.must("apply", "-f", "-", "--wait", "--json", stdin=wanted).document["operation"]["changed"] is True
    assert real.must("psql", "pg", "-Atc", "show max_connections").out == "50\n"

    assert real.must("stop", "pg", "--wait", "--json").document["instance"]["status"] == "stopped"
    refused = real("stop", "pg")
    assert refused.code == 5
    assert "allowed now: start" in refused.err
    assert real.must("start", "pg", "--wait", "--json").document["instance"]["status"] == "running"
    assert "LOG" in real.must("logs", "pg").out
    assert "START_CONFIRMED" in real.must("history", "pg").out

    gone = real.must("delete", "pg", "--yes", "--wait", "--json").document
    assert (gone["instance"]["status"], gone["operation"]["status"]) == ("terminated", "succeeded")
    assert real("get", "pg").code == 4
    assert "pg" in real.must("runs").out
    assert real.must("inventory", "process", "-q").out == ""


def test_a_failure_is_told_and_the_retry_mends_it(real: RealBerth) -> None:
    fault = "simulate.create.fault=invalid"
    failed = real("create", "bad", "--blueprint", "web", "--provider", "simulated", "--set", fault, "--wait")
    assert failed.code == 1
    assert "simulated invalid in create of bad" in failed.err
    assert "berth retry bad" in failed.err
    assert real("wait", "bad").code == 1
    assert "failed" in real.must("operations", "list", "bad").out
    assert real.must("retry", "bad", "--wait", "--json").document["instance"]["status"] == "running"
    real.must("delete", "bad", "--yes", "--wait")


def test_an_operation_can_be_waited_for_cancelled_and_watched(real: RealBerth) -> None:
    real.must("create", "slow", "--blueprint", "web", "--provider", "simulated", "--wait")
    real.must("simulate", "stop", "hang", "--seconds", "60", "--instance", "slow")
    begun = time.monotonic()
    late = real("stop", "slow", "--wait", "--timeout", "1s", "--json")
    assert late.code == 124
    assert time.monotonic() - begun < 6
    assert late.document["operation"]["done"] is False
    busy = real("start", "slow")
    assert busy.code == 5
    assert late.document["operation"]["id"] in busy.err
    assert real.must("cancel", "slow", "--wait", "--json").document["operation"]["status"] == "cancelled"
    real.must("delete", "slow", "--yes", "--wait")
    assert "OPERATION_CANCELLED" in real.must("events", "--limit", "200").out


def test_waiting_outlives_the_api(real: RealBerth) -> None:
    real.must("create", "kept", "--blueprint", "web", "--provider", "simulated", "--wait")
    real.must("simulate", "stop", "slow", "--seconds", "4", "--instance", "kept")
    operation = real.must("stop", "kept", "-q").out.strip()
    command = [*BERTH, "wait", operation, "--data-dir", str(real.data_dir), "--json"]
    waiting = subprocess.Popen(command, cwd=ROOT, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True)
    time.sleep(1.5)
    os.kill(real.must("status", "--json").document["pids"]["api"], signal.SIGKILL)
    out, _ = waiting.communicate(timeout=60)
    assert waiting.returncode == 0
    assert json.loads(out)["operation"]["status"] == "succeeded"
    real.must("delete", "kept", "--yes", "--wait")


def test_every_reading_command_answers(real: RealBerth) -> None:
    for words in ("list", "deployments", "runs", "events", "providers", "blueprints", "hosts", "inventory"):
        assert "items" in real.must(words, "--json").document, words
        real.must(words, "-o", "wide")
    for words in ("stats", "lifecycle", "orphans", "simulate", "status"):
        assert real.must(words, "--json").document, words
    link = real.must("open").out
    assert link.startswith(f"{real.ready['url']}/ui/#code=")
    token = (real.data_dir / "token").read_text().strip()
    assert token not in link

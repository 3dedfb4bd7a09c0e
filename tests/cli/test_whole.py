"""The command line against a whole, real Berth: `berth up`, then what a person would do in the first minutes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from cli.program import app
from tests.cli.terminals import lines
from tests.support.patience import busy
from tests.support.workers import wait_for

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
        """In this process, without a terminal: a hundred programs would spend a minute on their imports."""
        with pytest.MonkeyPatch.context() as environment:
            environment.setenv("BERTH_DATA_DIR", str(self.data_dir))
            for name in ("BERTH_URL", "BERTH_TOKEN"):
                environment.delenv(name, raising=False)
            done = CliRunner().invoke(app, list(arguments), input=stdin)
        if done.exception and not isinstance(done.exception, SystemExit):
            raise done.exception
        return Ran(done.exit_code, done.stdout, done.stderr)

    def as_program(self, *arguments: str) -> Ran:
        """For what takes the place of this process."""
        command = [*BERTH, "--data-dir", str(self.data_dir), *arguments]
        pipes: dict[str, Any] = {"capture_output": True, "text": True, "timeout": 120}
        done = subprocess.run(command, cwd=ROOT, env=ENVIRONMENT, check=False, **pipes)
        return Ran(done.returncode, done.stdout, done.stderr)

    def pid_of(self, name: str) -> int:
        """Of the process that runs now; `status` asks all parts, which takes its time."""
        return int(json.loads((self.data_dir / "up.json").read_text())["pids"][name])

    @contextmanager
    def still(self) -> Iterator[None]:
        """The worker holds its breath: what is asked meanwhile begins when the block ends."""
        worker = self.pid_of("worker")
        os.kill(worker, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(worker, signal.SIGCONT)

    def until_it_answers(self) -> None:
        """A command waits ten seconds for an API that starts, which on a busy machine may take longer."""
        wait_for(lambda: self("whoami").code == 0, 60, "the API did not come back")

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
        up.wait(120)
        up.stdout.close()
        log.close()
        down = [*BERTH, "down", "--data-dir", str(data_dir), "--purge", "--yes"]
        subprocess.run(down, cwd=ROOT, env=ENVIRONMENT, capture_output=True, timeout=120, check=True)


def test_a_postgres_server_lives_its_life(real: RealBerth) -> None:
    made = real.must("create", "pg", "--blueprint", "postgres", "--set", "max_connections=40", "--wait", "--json")
    assert made.document["instance"]["status"] == "running"
    assert made.document["operation"]["status"] == "succeeded"
    assert real.as_program("psql", "pg", "--", "-Atc", "show max_connections").out == "40\n"
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
    assert real.as_program("psql", "pg", "-Atc", "show max_connections").out == "50\n"

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
    assert time.monotonic() - begun < 30 * busy(), "it waited for the stop"
    assert late.document["operation"]["done"] is False
    refused = real("start", "slow")
    assert refused.code == 5
    assert late.document["operation"]["id"] in refused.err
    assert real.must("cancel", "slow", "--wait", "--json").document["operation"]["status"] == "cancelled"
    real.must("delete", "slow", "--yes", "--wait")
    assert "OPERATION_CANCELLED" in real.must("events", "--limit", "200").out


def test_waiting_outlives_the_api(real: RealBerth) -> None:
    real.must("create", "kept", "--blueprint", "web", "--provider", "simulated", "--wait")
    with real.still():
        operation = real.must("stop", "kept", "-q").out.strip()
        command = [*BERTH, "wait", operation, "--data-dir", str(real.data_dir), "--json"]
        waiting = subprocess.Popen(command, cwd=ROOT, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True)
        wait_for(lambda: _is_connected(waiting.pid), 60, "it asks nobody")
        os.kill(real.pid_of("api"), signal.SIGKILL)
    out, _ = waiting.communicate(timeout=120)
    assert waiting.returncode == 0
    assert json.loads(out)["operation"]["status"] == "succeeded"
    real.must("delete", "kept", "--yes", "--wait")


def _is_connected(pid: int) -> bool:
    with suppress(FileNotFoundError):  # what it opens and closes while we look
        return any(str(one.readlink()).startswith("socket:") for one in Path(f"/proc/{pid}/fd").iterdir())
    return False


def test_what_watches_and_follows_outlives_the_api(real: RealBerth) -> None:
    real.must("create", "site", "--blueprint", "postgres", "--wait")
    url, token = real.ready["url"], (real.data_dir / "token").read_text().strip()
    with (
        lines(url, "list", "--watch", "--search", "site", token=token) as rows,
        lines(url, "events", "--follow", "site", token=token) as events,
        lines(url, "logs", "site", "--follow", token=token, read_as=str.strip) as log,
    ):
        rows.until(lambda: bool(rows.objects))
        events.until(lambda: bool(events.objects))
        log.until(lambda: bool(log.objects))
        before = len(log.objects)
        os.kill(real.pid_of("api"), signal.SIGKILL)
        rows.until(lambda: any("No connection" in said for said in rows.remarks))
        real.until_it_answers()
        real.must("restart", "site", "--wait", "--timeout", "60s")
        restarted = real.must("get", "site", "--json").document["version"]
        rows.until(lambda: rows.objects[-1]["status"] == "running" and rows.objects[-1]["version"] >= restarted)
        events.until(lambda: any(e["event_type"] == "RESTART_CONFIRMED" for e in events.objects), seconds=60)
        log.until(lambda: len(log.objects) > before, seconds=60)
        cursors = [event["cursor"] for event in events.objects]
        versions = [event["version"] for event in events.objects if event["to"] != event["from"]]
        assert len(set(cursors)) == len(cursors)
        assert versions == sorted(set(versions))
        assert (rows.end(), events.end(), log.end()) == (130, 130, 130)
    real.must("delete", "site", "--yes", "--wait")


def test_what_is_set_apart_says_so_and_how_to_bring_it_back(real: RealBerth) -> None:
    real.must("create", "apart", "--blueprint", "web", "--provider", "simulated", "--protect", "--wait")
    kept = real("delete", "apart", "--yes")
    assert kept.code == 5
    assert "berth unprotect apart" in kept.err
    real.must("unprotect", "apart")
    real.must("suspend", "apart", "--reason", "not paid", "--delete-after", "14d", "--wait")
    assert "suspended (admin, deleted in 14d)" in real.must("list").out
    assert "not paid" in real.must("get", "apart").out
    refused = real("start", "apart")
    assert refused.code == 5
    assert "berth unsuspend apart" in refused.err
    real.must("unsuspend", "apart", "--wait")
    real.must("maintenance", "on", "apart", "--until", "2h", "--reason", "disk swap")
    assert "maintenance (until " in real.must("list").out
    real.must("maintenance", "off", "apart")
    real.must("delete", "apart", "--yes", "--wait")


def test_a_token_of_a_viewer_looks_and_changes_nothing(real: RealBerth) -> None:
    token = real.must("tokens", "create", "looker", "--role", "viewer", "--expires", "1h", "-q").out.strip()
    environment = {**ENVIRONMENT, "BERTH_URL": real.ready["url"], "BERTH_TOKEN": token}

    def looker(*words: str) -> Ran:
        pipes: dict[str, Any] = {"capture_output": True, "text": True, "timeout": 60}
        done = subprocess.run([*BERTH, *words], cwd=ROOT, env=environment, check=False, **pipes)
        return Ran(done.returncode, done.stdout, done.stderr)

    assert json.loads(looker("whoami", "--json").out)["role"] == "viewer"
    assert looker("list").code == 0
    assert looker("create", "no", "--blueprint", "web", "--provider", "simulated").code == 3
    assert looker("audit").code == 3
    assert token not in real.must("tokens", "list", "--json").out
    real.must("tokens", "revoke", "looker", "--yes")
    assert looker("list").code == 3
    told = real.must("audit", "--actor", "token:looker", "--json").document["items"]
    assert {entry["outcome"] for entry in told} == {"refused"}


def test_limits_of_a_project_stay_where_they_are_not_named(real: RealBerth) -> None:
    real.must("projects", "limit", "default", "instances=50", "cpu=8")
    real.must("projects", "limit", "default", "cpu=default")
    found = real.must("projects", "--json").document["items"]
    limits = next(item["limits"] for item in found if item["project"] == "default")
    assert (limits["instances"], limits["cpu"]) == (50, -1)
    real.must("projects", "limit", "default", "instances=default")


def test_every_reading_command_answers(real: RealBerth) -> None:
    for words in ("list", "deployments", "runs", "events", "providers", "blueprints", "hosts", "inventory"):
        assert "items" in real.must(words, "--json").document, words
        real.must(words, "-o", "wide")
    for listed in ("tokens", "webhooks"):
        assert "items" in real.must(listed, "list", "--json").document
    for words in ("audit", "projects"):
        assert "items" in real.must(words, "--json").document
    for words in ("stats", "lifecycle", "orphans", "simulate", "status", "whoami"):
        assert real.must(words, "--json").document, words
    link = real.must("open").out
    assert link.startswith(f"{real.ready['url']}/ui/#code=")
    token = (real.data_dir / "token").read_text().strip()
    assert token not in link

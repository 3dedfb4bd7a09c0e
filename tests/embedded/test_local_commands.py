"""The commands about this machine, as a shell runs them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.embedded.conftest import Standing, Starter

pytestmark = pytest.mark.servers


def _berth(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {name: os.environ[name] for name in ("HOME", "PATH", "BERTH_CACHE_DIR") if name in os.environ}
    command = [sys.executable, "-c", "from cli.main import main; main()", *arguments]
    return subprocess.run(
        command,
        env=kept | environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_env_makes_psql_and_temporal_work_and_names_the_running_berth(standing: Standing) -> None:
    up, ready = standing
    done = _berth("env", "--data-dir", str(up.data_dir))
    assert done.returncode == 0, done.stderr
    script = (
        f"{done.stdout}\n"
        'echo "$BERTH_URL"; echo "${#BERTH_TOKEN}"; psql "$DATABASE_URL" -Atc "select current_user"; '
        "temporal operator cluster health; command -v temporal"
    )
    shell = subprocess.run(
        ["/bin/sh", "-euc", script],
        env={"PATH": "/usr/bin:/bin", "HOME": str(up.data_dir)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert shell.returncode == 0, shell.stderr
    url, token_length, user, health, path = shell.stdout.splitlines()
    assert url == ready["url"]
    assert int(token_length) >= 32
    assert (user, health) == ("berth", "SERVING")
    assert path == f"{up.data_dir}/bin/temporal"


def test_status_repeats_the_ready_line_with_current_pids(standing: Standing) -> None:
    up, ready = standing
    done = _berth("status", "--json", BERTH_DATA_DIR=str(up.data_dir))
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == ready


def test_without_a_running_berth_env_and_status_say_how_to_start_one(tmp_path: Path) -> None:
    for command in ("env", "status"):
        done = _berth(command, "--data-dir", str(tmp_path / "none"))
        assert done.returncode == 6
        assert "berth up" in done.stderr
        assert done.stdout == ""


def test_the_token_is_shown_on_request_only(standing: Standing) -> None:
    up, _ = standing
    done = _berth("token", "show", "--data-dir", str(up.data_dir))
    assert done.stdout == (up.data_dir / "token").read_text()


def test_a_purge_without_a_terminal_needs_yes(start: Starter) -> None:
    up = start()
    up.event()
    done = _berth("down", "--purge", "--data-dir", str(up.data_dir))
    assert done.returncode == 2
    assert "--yes" in done.stderr
    assert up.process.poll() is None
    done = _berth("down", "--purge", "--yes", "--json", "--data-dir", str(up.data_dir))
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["purged"] is True
    assert not up.data_dir.exists()


def test_down_where_nothing_is_says_so(tmp_path: Path) -> None:
    done = _berth("down", "--data-dir", str(tmp_path / "none"))
    assert done.returncode == 0
    assert "nothing to stop" in done.stderr


def test_doctor_names_a_fix_for_everything_that_is_missing(tmp_path: Path) -> None:
    done = _berth(
        "doctor", "--json", "--data-dir", str(tmp_path / "none"), PATH="/usr/bin:/bin", HOME=str(tmp_path)
    )
    report = json.loads(done.stdout)
    assert done.returncode == (0 if report["ok"] else 1)
    names = {item["name"] for item in report["items"]}
    assert {"python", "disk", "postgres", "temporal", "isolation", "node", "docker", "kubernetes", "aws"} <= names
    assert [item["name"] for item in report["items"] if item["verdict"] == "missing" and not item["fix"]] == []


def test_doctor_takes_no_server_of_this_berth_for_the_users(standing: Standing) -> None:
    up, _ = standing
    told = json.loads(_berth("env", "--json", "--data-dir", str(up.data_dir)).stdout)
    named = {name: told[name] for name in ("DATABASE_URL", "TEMPORAL_ADDRESS")}
    done = _berth("doctor", "--json", "--data-dir", str(up.data_dir), **named)
    texts = {item["name"]: item["text"] for item in json.loads(done.stdout)["items"]}
    assert texts["postgres"].startswith("embedded")
    assert "yours" not in texts["temporal"]


def test_a_wrong_setting_is_named(tmp_path: Path) -> None:
    done = _berth("doctor", "--data-dir", str(tmp_path / "none"), BERTH_API_PORT="eighty")
    assert done.returncode == 2
    assert "BERTH_API_PORT" in done.stderr

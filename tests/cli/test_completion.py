"""Shell completion of names, as a shell asks for it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.canned import TOKEN, CannedBerth, Reply, instance, operation

pytestmark = pytest.mark.unit

ROOT = Path(__file__).resolve().parents[2]


_PATIENT = "from cli import main, names; names.COMPLETION_SECONDS = 60.0; main.main()"
"""A shell waits two seconds for names; what is completed does not depend on how long that took."""


def complete(words: str, **environment: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", _PATIENT],
        cwd=ROOT,
        env={
            "PATH": os.environ["PATH"],
            "HOME": "/nonexistent",
            "_BERTH_COMPLETE": "complete_bash",
            "COMP_WORDS": words,
            "COMP_CWORD": str(len(words.split(" ")) - 1),
            **environment,
        },
        capture_output=True,
        text=True,
        timeout=90,
        check=True,
    )
    assert done.stderr == ""
    return done.stdout.split()


def test_names_and_operations_are_completed(canned: CannedBerth) -> None:
    canned.on("GET", "/instances", Reply(200, {"items": [instance("demo"), instance("delta"), instance("other")]}))
    canned.on("GET", "/operations", Reply(200, {"items": [operation()]}))
    berth = {"BERTH_URL": canned.url, "BERTH_TOKEN": TOKEN}
    assert complete("berth stop de", **berth) == ["demo", "delta"]
    assert complete("berth wait op_", **berth) == ["op_01"]


def test_completion_knows_the_data_directory_on_the_line(canned: CannedBerth, tmp_path: Path) -> None:
    (tmp_path / "up.json").write_text(json.dumps({"url": canned.url}), encoding="utf-8")
    (tmp_path / "token").write_text(TOKEN, encoding="utf-8")
    canned.on("GET", "/instances", Reply(200, {"items": [instance("demo")]}))
    assert complete(f"berth stop --data-dir {tmp_path} d") == ["demo"]
    assert complete(f"berth --data-dir {tmp_path} stop d") == ["demo"]


def test_names_are_those_of_the_project_on_the_line(canned: CannedBerth) -> None:
    canned.on("GET", "/instances", Reply(200, {"items": [instance("demo")]}))
    berth = {"BERTH_URL": canned.url, "BERTH_TOKEN": TOKEN}
    assert complete("berth stop --project shop d", **berth) == ["demo"]
    assert canned.seen[0].headers["Berth-Project"] == "shop"


def test_completion_without_a_berth_is_silent() -> None:
    assert complete("berth stop d", BERTH_URL="http://127.0.0.1:9") == []


def test_commands_are_completed() -> None:
    assert complete("berth maint") == ["maintenance"]

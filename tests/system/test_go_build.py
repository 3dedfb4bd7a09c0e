"""Building with the go command: a program of three lines, and one that is none."""

from __future__ import annotations

import subprocess
import threading
import time
from pathlib import Path

import pytest

from system import go_build
from system.go_build import Build, BuildFailed

pytestmark = pytest.mark.unit
GO = go_build.go_program()


def a_module(folder: Path, body: str) -> Path:
    folder.mkdir()
    (folder / "go.mod").write_text("module example\n\ngo 1.21\n")
    (folder / "main.go").write_text(f"package main\n\nfunc main() {{ {body} }}\n")
    return folder


@pytest.mark.skipif(GO is None, reason="there is no go command")
def test_a_program_is_built_and_one_that_is_none_says_why(tmp_path: Path) -> None:
    assert GO is not None
    program = tmp_path / "program"
    good = a_module(tmp_path / "good", 'println("built")')
    go_build.run(GO, Build(good, ("-o", str(program), "."), tmp_path / "log", "test"), print)
    said = subprocess.run([program], capture_output=True, text=True, timeout=60, check=True)
    assert said.stderr == "built\n"
    bad = a_module(tmp_path / "bad", "nonsense")
    with pytest.raises(BuildFailed, match="nonsense"):
        go_build.run(GO, Build(bad, ("-o", str(program), "."), tmp_path / "log", "test"), print)


def test_the_environment_of_a_build_holds_nothing_else_of_the_users(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BERTH_TOKEN", "secret")
    monkeypatch.setenv("GOPROXY", "https://modules.example")
    found = go_build.environment(CGO_ENABLED="0")
    assert "BERTH_TOKEN" not in found
    assert (found["GOPROXY"], found["CGO_ENABLED"]) == ("https://modules.example", "0")


def test_the_second_builder_waits_for_the_first_and_says_so(tmp_path: Path) -> None:
    said: list[str] = []
    order: list[str] = []

    def second() -> None:
        with go_build.one_at_a_time(tmp_path / "lock", said.append, "waiting"):
            order.append("second")

    with go_build.one_at_a_time(tmp_path / "lock", said.append, "waiting"):
        other = threading.Thread(target=second)
        other.start()
        deadline = time.monotonic() + 60
        while not said:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        order.append("first")
    other.join(60)
    assert (said, order) == (["waiting"], ["first", "second"])

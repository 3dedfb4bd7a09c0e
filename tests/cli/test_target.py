"""Which Berth a command acts on."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

import settings
from cli import target
from cli.errors import CliError, ExitCode, Unreachable, UsageProblem
from cli.program import app

pytestmark = pytest.mark.unit


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("BERTH_URL", "BERTH_TOKEN", "BERTH_DATA_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "xdg"))


def _a_berth(directory: Path, url: str = "http://127.0.0.1:8001", token: str = "tok_file") -> Path:
    directory.mkdir(parents=True)
    (directory / "up.json").write_text(
        json.dumps({"url": url, "pids": {"supervisor": os.getpid()}}), encoding="utf-8"
    )
    (directory / "token").write_text(f"{token}\n", encoding="utf-8")
    return directory


def test_the_default_directory_is_that_of_the_settings() -> None:
    assert target.default_data_dir() == settings.default_data_dir()


def test_a_directory_gives_address_token_and_supervisor(tmp_path: Path) -> None:
    found = target.find_target(_a_berth(tmp_path / "a"))
    assert (found.url, found.token, found.supervisor) == ("http://127.0.0.1:8001", "tok_file", os.getpid())


def test_the_flag_beats_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BERTH_URL", "http://127.0.0.1:9999")
    monkeypatch.setenv("BERTH_TOKEN", "tok_env")
    found = target.find_target(_a_berth(tmp_path / "b"))
    assert (found.url, found.token) == ("http://127.0.0.1:8001", "tok_file")


def test_the_environments_url_and_token_beat_its_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BERTH_DATA_DIR", str(_a_berth(tmp_path / "c")))
    monkeypatch.setenv("BERTH_URL", "https://berth.example/")
    monkeypatch.setenv("BERTH_TOKEN", "tok_env")
    found = target.find_target(None)
    assert (found.url, found.token) == ("https://berth.example", "tok_env")


def test_the_token_of_this_machine_never_leaves_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BERTH_DATA_DIR", str(_a_berth(tmp_path / "d")))
    monkeypatch.setenv("BERTH_URL", "https://berth.example")
    assert target.find_target(None).token == ""
    monkeypatch.setenv("BERTH_URL", "http://localhost:8000")
    assert target.find_target(None).token == "tok_file"


def test_nothing_running_says_how_to_start_it(tmp_path: Path) -> None:
    with pytest.raises(Unreachable) as caught:
        target.find_target(tmp_path / "none")
    assert caught.value.code is ExitCode.UNAVAILABLE
    assert caught.value.hints == (f"berth up --data-dir {tmp_path / 'none'}",)


def test_a_berth_whose_supervisor_died_gets_no_token_of_ours(tmp_path: Path) -> None:
    gone = subprocess.Popen(["/bin/true"])
    gone.wait(10)
    directory = _a_berth(tmp_path / "h")
    state = {"url": "http://127.0.0.1:8001", "pids": {"supervisor": gone.pid}}
    (directory / "up.json").write_text(json.dumps(state), encoding="utf-8")
    with pytest.raises(Unreachable, match="not running any more"):
        target.find_target(directory)


def test_a_token_that_cannot_be_read_is_a_matter_of_access(tmp_path: Path) -> None:
    directory = _a_berth(tmp_path / "e")
    (directory / "token").unlink()
    with pytest.raises(CliError) as caught:
        target.find_target(directory)
    assert caught.value.code is ExitCode.AUTH


@pytest.mark.parametrize("url", ["127.0.0.1:8000", "ftp://x", "http://"])
def test_an_address_that_is_none_is_named(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BERTH_URL", url)
    with pytest.raises(UsageProblem, match="BERTH_URL"):
        target.find_target(None)


def test_the_token_shows_in_no_repr(tmp_path: Path) -> None:
    assert "tok_file" not in repr(target.find_target(_a_berth(tmp_path / "f")))


def test_the_flag_before_the_command_is_the_flag_behind_it(tmp_path: Path) -> None:
    first = CliRunner().invoke(app, ["--data-dir", str(tmp_path / "g"), "list"])
    second = CliRunner().invoke(app, ["list", "--data-dir", str(tmp_path / "g")])
    assert first.exit_code == second.exit_code == ExitCode.UNAVAILABLE
    assert str(tmp_path / "g") in first.stderr
    assert first.stderr == second.stderr

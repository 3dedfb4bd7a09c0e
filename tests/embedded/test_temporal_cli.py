"""Which Temporal program is taken."""

from __future__ import annotations

from pathlib import Path

import pytest

from embedded.errors import TemporalMissingError
from embedded.temporal_cli import cached_program, find, obtain

pytestmark = pytest.mark.unit


def _program(path: Path, version: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho 'temporal version {version} (Server 1.31.2, UI 2.50.1)'\n")
    path.chmod(0o755)
    return path


@pytest.fixture(autouse=True)
def bare_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:/usr/bin:/bin")


def test_the_users_choice_comes_first(tmp_path: Path) -> None:
    chosen = _program(tmp_path / "mine", "1.8.2")
    _program(tmp_path / "bin" / "temporal", "1.8.2")
    assert find(str(chosen), tmp_path / "cache") == chosen


def test_a_choice_that_cannot_run_is_named_and_not_passed_over(tmp_path: Path) -> None:
    _program(tmp_path / "bin" / "temporal", "1.8.2")
    with pytest.raises(TemporalMissingError, match="BERTH_TEMPORAL_CLI"):
        find(str(tmp_path / "missing"), tmp_path / "cache")


def test_a_recent_program_on_path_comes_before_the_cache(tmp_path: Path) -> None:
    on_path = _program(tmp_path / "bin" / "temporal", "1.8.2")
    _program(cached_program(tmp_path / "cache"), "1.8.2")
    assert find("", tmp_path / "cache") == on_path.resolve()


def test_an_old_program_on_path_gives_way_to_the_cache(tmp_path: Path) -> None:
    _program(tmp_path / "bin" / "temporal", "1.0.0")
    cached = _program(cached_program(tmp_path / "cache"), "1.8.2")
    assert find("", tmp_path / "cache") == cached


def test_a_build_without_a_version_is_trusted(tmp_path: Path) -> None:
    on_path = _program(tmp_path / "bin" / "temporal", "0.0.0-DEV")
    assert find("", tmp_path / "cache") == on_path.resolve()


def test_what_is_there_is_not_fetched(tmp_path: Path) -> None:
    cached = _program(cached_program(tmp_path / "cache"), "1.8.2")
    said: list[str] = []
    assert obtain("", tmp_path / "cache", said.append) == cached
    assert said == []

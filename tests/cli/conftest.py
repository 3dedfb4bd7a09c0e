"""Fixtures of the command line's tests: a canned Berth, and `berth` as a call."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from typer.testing import CliRunner

from cli.program import app
from tests.cli.canned import TOKEN, CannedBerth


@dataclass(frozen=True)
class Ran:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """Standard output as JSON: nothing else may be on it."""
        return json.loads(self.out)


Run = Callable[..., Ran]


@pytest.fixture
def canned() -> Iterator[CannedBerth]:
    with CannedBerth() as server:
        yield server


@pytest.fixture
def berth(canned: CannedBerth, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command in this process, without a terminal, against the canned Berth."""
    monkeypatch.setenv("BERTH_URL", canned.url)
    monkeypatch.setenv("BERTH_TOKEN", TOKEN)
    monkeypatch.delenv("BERTH_DATA_DIR", raising=False)

    def run(*arguments: str, stdin: str | None = None) -> Ran:
        result = CliRunner().invoke(app, list(arguments), input=stdin)
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Ran(result.exit_code, result.stdout, result.stderr)

    return run

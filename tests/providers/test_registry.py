"""Providers by name, and what is known of them before one is opened."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from domain.lifecycle import Operation
from domain.limits import DEFAULT_BUDGET
from providers.entry import Setup, Unconfigured
from providers.registry import PROVIDERS, budget

pytestmark = pytest.mark.unit
_SDKS = ("docker", "kubernetes", "boto3", "botocore")


@pytest.mark.parametrize("name", PROVIDERS)
def test_a_provider_opens_under_its_name_or_says_what_to_configure(name: str, tmp_path: Path) -> None:
    setup = Setup({}, tmp_path, tmp_path / "instances", "s", "h", lambda _: True)
    reason = ""
    try:
        provider = PROVIDERS[name].open(setup)
    except Unconfigured as unconfigured:
        reason = str(unconfigured)
    else:
        assert provider.name == name
        assert provider.poll_seconds > 0
    assert reason == "" or len(reason) > 20, "one sentence that helps"


def test_the_table_of_providers_loads_no_sdk() -> None:
    code = f"import sys, providers.registry; print([m for m in {_SDKS!r} if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert found.stdout.strip() == "[]"


def test_a_deployment_overrides_the_totals_of_launch_and_termination() -> None:
    assert budget("simulated", Operation.CREATE, {"launch_seconds": 7}).total == 7
    assert budget("simulated", Operation.CREATE, {"launch_seconds": 7}).attempt == 7
    assert budget("simulated", Operation.DELETE, {"launch_seconds": 7}) == budget("simulated", Operation.DELETE)
    assert budget("simulated", Operation.STOP, {"launch_seconds": 7}) == DEFAULT_BUDGET

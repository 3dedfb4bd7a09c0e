"""Providers by name, and what is known of them before one is made."""

from __future__ import annotations

from pathlib import Path

import pytest

from domain.errors import InvalidInput
from providers.registry import (
    PROVIDERS,
    process_provider,
    process_unavailable,
    provider_facts,
    simulated_provider,
)

pytestmark = pytest.mark.unit


def test_every_provider_is_what_its_facts_say(tmp_path: Path) -> None:
    made = {
        "process": process_provider(
            root=tmp_path / "i", runtime_root=tmp_path / "r", server_id="s", host_id="h", verify=lambda _: True
        ),
        "simulated": simulated_provider(tmp_path / "sim.db", "s", lambda _: True),
    }
    assert set(made) == set(PROVIDERS)
    for name, provider in made.items():
        facts = provider_facts(name)
        assert (provider.name, provider.probes, provider.needs_port) == (name, facts.probes, facts.needs_port)
        assert provider.inventory() == []


def test_an_unknown_provider_is_refused_with_the_list() -> None:
    with pytest.raises(InvalidInput, match="there are: process, simulated"):
        provider_facts("moon")


def test_this_machine_can_run_processes() -> None:
    assert process_unavailable() is None

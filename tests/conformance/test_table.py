"""Every provider has a harness, and what a harness excuses is excused in words."""

from __future__ import annotations

import pytest

from domain.work import Seen
from providers.registry import PROVIDERS
from tests.conformance.base import Harness
from tests.conformance.harnesses import HARNESSES

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("name", PROVIDERS)
def test_a_provider_of_the_registry_has_a_harness(name: str) -> None:
    assert name in HARNESSES, f"write tests/conformance/{name}_harness.py"


@pytest.mark.parametrize("name", HARNESSES)
def test_a_harness_stands_for_a_provider_and_says_why_it_lacks_what(name: str) -> None:
    harness: type[Harness] = HARNESSES[name]
    assert harness.name == name
    assert name in PROVIDERS
    assert [can for can, why in harness.lacks.items() if len(why.split()) < 3] == []
    assert len(harness.bad_works) >= 1
    assert {state.seen for state in harness.raw_states} >= {Seen.TRANSIENT, Seen.DOWN}

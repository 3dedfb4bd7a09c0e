"""Fixtures: one EC2 double per test run, an empty account per test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from providers.base import Provider
from tests.support.ec2 import ACCESS, Ec2
from tests.support.ec2_machines import open_ec2


@pytest.fixture(scope="session")
def ec2_servers() -> Iterator[Ec2]:
    with Ec2() as servers:
        yield servers


@pytest.fixture
def ec2(ec2_servers: Ec2, monkeypatch: pytest.MonkeyPatch) -> Ec2:
    """An empty account, and credentials for it in the environment."""
    for name, value in ACCESS.items():
        monkeypatch.setenv(name, value)
    ec2_servers.reset()
    return ec2_servers


@pytest.fixture
def machines(ec2: Ec2) -> Provider:
    """The provider, freshly opened."""
    return open_ec2(ec2.endpoint)

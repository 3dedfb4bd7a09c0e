"""Real servers for the machine, and one Berth for all its examples."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.machine.world import World, running_world
from tests.support.postgres import PostgresServer
from tests.support.temporal import TemporalServer


@pytest.fixture(scope="module")
def world(
    tmp_path_factory: pytest.TempPathFactory, postgres_server: PostgresServer, temporal_server: TemporalServer
) -> Iterator[World]:
    with running_world(tmp_path_factory.mktemp("machine"), postgres_server, temporal_server) as running:
        yield running

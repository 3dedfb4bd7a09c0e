"""Fixtures that make Berths for one test: `make_spine`, and `fragile` on a Temporal server of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.support.postgres import PostgresServer
from tests.support.spine import Spine
from tests.support.temporal import TemporalServer, make_server

MakeSpine = Callable[..., Spine]


@pytest.fixture
def make_spine(
    tmp_path_factory: pytest.TempPathFactory, postgres_server: PostgresServer, temporal_server: TemporalServer
) -> Iterator[MakeSpine]:
    """Make a Berth of one's own, with these settings; no worker runs until `start_worker`."""
    made: list[Spine] = []

    def make(**settings: str) -> Spine:
        folder = tmp_path_factory.mktemp("spine")
        new = Spine(folder, postgres_server.new_database(), temporal_server, temporal_server.new_namespace())
        new.settings |= settings
        made.append(new)
        return new

    yield make
    for spine in made:
        spine.close()


@pytest.fixture
def own_temporal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TemporalServer]:
    """A Temporal server that the test may kill."""
    server = make_server(tmp_path_factory.mktemp("temporal"), namespaces=1)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def fragile(
    tmp_path_factory: pytest.TempPathFactory, postgres_server: PostgresServer, own_temporal: TemporalServer
) -> Iterator[Spine]:
    """A Berth on that server."""
    folder = tmp_path_factory.mktemp("spine")
    made = Spine(folder, postgres_server.new_database(), own_temporal, own_temporal.new_namespace())
    yield made
    made.close()

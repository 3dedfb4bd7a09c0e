"""One Berth for all tests that leave it whole; tests that kill or swap parts make their own with `make_spine`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from temporalio.client import Client

from tests.support.instances import runtime_base
from tests.support.postgres import PostgresServer, database_url, postgres_server
from tests.support.process_spine import process_spine
from tests.support.spine import Spine
from tests.support.spines import fragile, make_spine, own_temporal
from tests.support.temporal import TemporalServer, temporal_server
from workflows.connection import connect

__all__ = [
    "database_url",
    "fragile",
    "make_spine",
    "own_temporal",
    "postgres_server",
    "process_spine",
    "runtime_base",
    "temporal_server",
]


@pytest.fixture(scope="session")
def shared(
    tmp_path_factory: pytest.TempPathFactory, postgres_server: PostgresServer, temporal_server: TemporalServer
) -> Iterator[Spine]:
    folder = tmp_path_factory.mktemp("spine")
    made = Spine(folder, postgres_server.new_database(), temporal_server, temporal_server.new_namespace())
    try:
        made.start_worker()
        yield made
    finally:
        made.close()


@pytest.fixture
def spine(shared: Spine) -> Iterator[Spine]:
    """The shared Berth with one worker. Afterwards no fault is left and all that must hold at rest is checked."""
    yield shared
    shared.provider.clear_faults()
    shared.invariants()


@pytest.fixture
async def client(shared: Spine) -> Client:
    """A Temporal client in the shared Berth's namespace."""
    return await connect(shared.temporal.address, shared.namespace)

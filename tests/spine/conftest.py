"""One Berth for all tests that leave it whole; tests that kill or swap parts make their own with `make_spine`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from temporalio.client import Client

from tests.support.postgres import PostgresServer
from tests.support.process_spine import process_spine
from tests.support.spine import Spine
from tests.support.spines import fragile, make_spine, own_temporal, working_spine
from tests.support.temporal import TemporalServer
from workflows.connection import connect

__all__ = ["fragile", "make_spine", "own_temporal", "process_spine"]


@pytest.fixture(scope="package")
def shared(
    tmp_path_factory: pytest.TempPathFactory, postgres_server: PostgresServer, temporal_server: TemporalServer
) -> Iterator[Spine]:
    with working_spine(tmp_path_factory, postgres_server, temporal_server) as made:
        yield made


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

"""What tests of the monitor stand on."""

from collections.abc import Iterator

import pytest

from tests.support.docker import docker_engine
from tests.support.instances import runtime_base, workshop
from tests.support.kubernetes import cluster
from tests.support.postgres import PostgresServer, database_url, postgres_server
from tests.support.process_spine import process_spine
from tests.support.spine import Spine
from tests.support.spines import make_spine
from tests.support.temporal import TemporalServer, temporal_server

__all__ = [
    "cluster",
    "database_url",
    "docker_engine",
    "make_spine",
    "postgres_server",
    "process_spine",
    "runtime_base",
    "temporal_server",
    "workshop",
]


@pytest.fixture(scope="module")
def module_spine(
    tmp_path_factory: pytest.TempPathFactory, postgres_server: PostgresServer, temporal_server: TemporalServer
) -> Iterator[Spine]:
    """Records and a simulated provider for one module; no worker runs."""
    folder = tmp_path_factory.mktemp("spine")
    made = Spine(folder, postgres_server.new_database(), temporal_server, temporal_server.new_namespace())
    yield made
    made.close()

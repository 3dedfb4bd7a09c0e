"""What tests of the monitor stand on."""

from tests.support.docker import docker_engine
from tests.support.instances import runtime_base, workshop
from tests.support.kubernetes import cluster
from tests.support.postgres import database_url, postgres_server
from tests.support.process_spine import process_spine
from tests.support.spines import make_spine
from tests.support.temporal import temporal_server
from tests.support.whole import make_whole

__all__ = [
    "cluster",
    "database_url",
    "docker_engine",
    "make_spine",
    "make_whole",
    "postgres_server",
    "process_spine",
    "runtime_base",
    "temporal_server",
    "workshop",
]

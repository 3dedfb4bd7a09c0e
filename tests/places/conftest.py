"""Whole Berths whose instances live at real places: containers, a cluster, a cloud."""

from tests.support.docker import docker_engine
from tests.support.ec2_fixtures import ec2_servers
from tests.support.kubernetes import cluster
from tests.support.postgres import postgres_server
from tests.support.temporal import temporal_server
from tests.support.whole import make_whole

__all__ = ["cluster", "docker_engine", "ec2_servers", "make_whole", "postgres_server", "temporal_server"]

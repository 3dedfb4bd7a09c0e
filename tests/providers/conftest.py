"""Fixtures for tests that run real processes and containers."""

from tests.support.docker import docker_engine
from tests.support.docker_instances import dock
from tests.support.ec2_fixtures import ec2, ec2_servers, machines
from tests.support.instances import runtime_base, workshop
from tests.support.kubernetes import cluster, yard

__all__ = [
    "cluster",
    "dock",
    "docker_engine",
    "ec2",
    "ec2_servers",
    "machines",
    "runtime_base",
    "workshop",
    "yard",
]

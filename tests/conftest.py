"""Servers and engines that tests share: fixtures of whole sessions are defined here alone.

A folder that imported one into a conftest of its own would get, and keep running, a server of its own.
"""

from __future__ import annotations

# In the order in which they import each other.
pytest_plugins = (
    "tests.support.postgres",
    "tests.support.instances",
    "tests.support.docker",
    "tests.support.docker_instances",
    "tests.support.ec2_fixtures",
    "tests.support.kubernetes",
    "tests.support.temporal",
)

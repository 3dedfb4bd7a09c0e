"""Blueprints in containers of a real engine."""

from __future__ import annotations

from tests.support.docker import docker_engine
from tests.support.docker_instances import dock

__all__ = ["dock", "docker_engine"]

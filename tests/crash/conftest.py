"""Real servers for tests that kill things on purpose."""

from tests.support.instances import runtime_base
from tests.support.postgres import postgres_server
from tests.support.spines import fragile, make_spine, own_temporal
from tests.support.temporal import temporal_server

__all__ = ["fragile", "make_spine", "own_temporal", "postgres_server", "runtime_base", "temporal_server"]

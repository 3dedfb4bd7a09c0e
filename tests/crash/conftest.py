"""Real servers for tests that kill things on purpose."""

from tests.support.spines import fragile, make_spine, own_temporal

__all__ = ["fragile", "make_spine", "own_temporal"]

"""A Berth with a worker, its keeper included, for the whole folder."""

from __future__ import annotations

from tests.spine.conftest import client, shared, spine
from tests.support.postgres import database_url, postgres_server
from tests.support.spines import make_spine
from tests.support.temporal import temporal_server

__all__ = ["client", "database_url", "make_spine", "postgres_server", "shared", "spine", "temporal_server"]

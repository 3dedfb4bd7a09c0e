"""A Berth with a worker, its keeper included, for the whole folder."""

from __future__ import annotations

from tests.spine.conftest import client, shared, spine
from tests.support.spines import make_spine

__all__ = ["client", "make_spine", "shared", "spine"]

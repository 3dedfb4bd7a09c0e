"""A real Temporal for the tests of the way to it."""

from __future__ import annotations

from tests.support.temporal import temporal_server

__all__ = ["temporal_server"]

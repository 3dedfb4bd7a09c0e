"""Fixtures for tests that run real processes."""

from tests.support.instances import runtime_base, workshop

__all__ = ["runtime_base", "workshop"]

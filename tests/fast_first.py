"""Pytest plugin (`-p tests.fast_first`): fast tests first, so that a simple mistake is reported in seconds."""

from __future__ import annotations

import pytest

_ORDER = ("unit", "servers", "processes", "crash")


def _rank(item: pytest.Item) -> int:
    """The slowest marker counts; a test without any comes first."""
    return max((_ORDER.index(mark.name) for mark in item.iter_markers() if mark.name in _ORDER), default=-1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=_rank)  # stable: files stay together within a rank

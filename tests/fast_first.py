"""Pytest plugin (`-p tests.fast_first`): fast tests first, so that a simple mistake is reported in seconds.

With `BERTH_TEST_EVERYTHING=1`, as on the build machine, a skipped test counts as a failed one: whatever it needs
can be installed there.
"""

from __future__ import annotations

import os
from collections.abc import Generator

import pytest

_ORDER = ("unit", "servers", "ec2", "kubernetes", "processes", "docker", "browser", "crash")
EVERYTHING = os.environ.get("BERTH_TEST_EVERYTHING") == "1"


def _rank(item: pytest.Item) -> int:
    """The slowest marker counts; a test without any comes first. Tests of one server stay together."""
    return max((_ORDER.index(mark.name) for mark in item.iter_markers() if mark.name in _ORDER), default=-1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=_rank)  # stable: files stay together within a rank


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if EVERYTHING and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped, and nothing may be skipped here: {report.longrepr}"
    return report

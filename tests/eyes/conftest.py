"""A whole Berth for the tests of what shows it: API, worker, records, Temporal."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.api import Api, running_api
from tests.support.postgres import database_url, postgres_server
from tests.support.temporal import temporal_server
from tests.support.whole import MakeWhole, Whole, make_whole

__all__ = ["database_url", "make_whole", "postgres_server", "temporal_server"]


@pytest.fixture(scope="module")
def whole(make_whole: MakeWhole) -> Whole:
    """With one worker."""
    return make_whole()


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory, database_url: str) -> Iterator[Api]:
    """The API without Temporal and without a worker."""
    with running_api(tmp_path_factory.mktemp("api"), database_url) as running:
        yield running

"""One API with a database of its own for each module, and what it logged."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.api import Api, running_api


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory, database_url: str) -> Iterator[Api]:
    """The API without Temporal: what it accepts stays pending."""
    with running_api(tmp_path_factory.mktemp("hostility"), database_url) as running:
        yield running

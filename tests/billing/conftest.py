"""A Berth with its worker, and the API over it that knows two of billing's secrets."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.spine.conftest import shared, spine
from tests.support.api import Api, running_api
from tests.support.billing import NEW_SECRET, OLD_SECRET, Sender
from tests.support.spine import Spine

__all__ = ["shared", "spine"]


@pytest.fixture(scope="package")
def whole(shared: Spine) -> Iterator[Api]:
    """Its API."""
    with running_api(
        shared.folder,
        shared.database_url,
        TEMPORAL_ADDRESS=shared.temporal.address,
        TEMPORAL_NAMESPACE=shared.namespace,
        billing_secrets=f"{NEW_SECRET}, {OLD_SECRET}",
    ) as api:
        yield api


@pytest.fixture
def sender(whole: Api) -> Sender:
    """Somebody who knows the secret."""
    return Sender(whole.url)


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory, database_url: str) -> Iterator[Api]:
    """An API without a keeper: what is received is written, and nothing follows."""
    with running_api(
        tmp_path_factory.mktemp("api"), database_url, billing_secrets=f"{NEW_SECRET},{OLD_SECRET}"
    ) as api:
        yield api

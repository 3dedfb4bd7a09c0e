"""What tests of the monitor stand on."""

from collections.abc import Iterator

import pytest

from tests.support.postgres import PostgresServer
from tests.support.process_spine import process_spine
from tests.support.spine import Spine
from tests.support.spines import make_spine, making_spines
from tests.support.temporal import TemporalServer

__all__ = ["make_spine", "process_spine"]


@pytest.fixture(scope="module")
def module_spine(
    tmp_path_factory: pytest.TempPathFactory, postgres_server: PostgresServer, temporal_server: TemporalServer
) -> Iterator[Spine]:
    """Records and a simulated provider for one module; no worker runs."""
    with making_spines(tmp_path_factory, postgres_server, temporal_server) as make:
        yield make()

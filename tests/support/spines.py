"""Fixtures that make Berths for one test: `make_spine`, and `fragile` on a Temporal server of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import pytest

from tests.support.postgres import PostgresServer
from tests.support.spine import Spine
from tests.support.temporal import TemporalServer, make_server

MakeSpine = Callable[..., Spine]


@contextmanager
def making_spines(
    folders: pytest.TempPathFactory, postgres: PostgresServer, temporal: TemporalServer
) -> Iterator[MakeSpine]:
    """Makes Berths with the settings that it is given, and closes them in the end; none has a worker yet."""
    with ExitStack() as made:

        def make(**settings: str) -> Spine:
            new = Spine(folders.mktemp("spine"), postgres.new_database(), temporal, temporal.new_namespace())
            made.callback(new.close)
            new.settings |= settings
            return new

        yield make


@contextmanager
def working_spine(
    folders: pytest.TempPathFactory, postgres: PostgresServer, temporal: TemporalServer, **settings: str
) -> Iterator[Spine]:
    """One of them, with its first worker."""
    with making_spines(folders, postgres, temporal) as make:
        made = make(**settings)
        made.start_worker()
        yield made


@pytest.fixture
def make_spine(
    tmp_path_factory: pytest.TempPathFactory, postgres_server: PostgresServer, temporal_server: TemporalServer
) -> Iterator[MakeSpine]:
    """Make a Berth of one's own, with these settings; no worker runs until `start_worker`."""
    with making_spines(tmp_path_factory, postgres_server, temporal_server) as make:
        yield make


@pytest.fixture
def own_temporal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TemporalServer]:
    """A Temporal server that the test may kill."""
    server = make_server(tmp_path_factory.mktemp("temporal"), namespaces=1)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def fragile(
    tmp_path_factory: pytest.TempPathFactory, postgres_server: PostgresServer, own_temporal: TemporalServer
) -> Iterator[Spine]:
    """A Berth on that server."""
    with making_spines(tmp_path_factory, postgres_server, own_temporal) as make:
        yield make()

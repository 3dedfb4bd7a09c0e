"""A Berth whose instances are real processes: a place that other OS users can enter, everything ended afterwards.

A test folder that uses `process_spine` imports it in its conftest, with `runtime_base`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from db.models import Host
from domain.specs import Accepted
from tests.support.instances import end_all
from tests.support.ports import own_ports
from tests.support.postgres import PostgresServer
from tests.support.spine import Spine
from tests.support.temporal import TemporalServer


class ProcessSpine(Spine):
    """`create` makes it on `process`, on this machine's own host."""

    def on_host(self, name: str | None = None, *, blueprint: str = "postgres", **spec: object) -> Accepted:
        (host,) = self.rows(select(Host.id))
        return self.create(name, provider="process", blueprint=blueprint, host_id=host, **spec)


@pytest.fixture
def process_spine(
    tmp_path_factory: pytest.TempPathFactory,
    runtime_base: Path,
    postgres_server: PostgresServer,
    temporal_server: TemporalServer,
) -> Iterator[ProcessSpine]:
    """No worker runs until `start_worker`."""
    server_id = os.urandom(8).hex() + runtime_base.name[-8:]
    database = postgres_server.new_database(server_id)
    folder = tmp_path_factory.mktemp("spine")
    made = ProcessSpine(folder, database, temporal_server, temporal_server.new_namespace())
    with own_ports() as first_port:
        made.settings |= {
            "BERTH_INSTANCE_ROOT": str(_root(runtime_base)),
            "BERTH_PORT_FIRST": str(first_port),
            "BERTH_PORT_LAST": str(first_port + 99),
        }
        try:
            yield made
        finally:
            made.close()
            end_all(server_id)


def _root(base: Path) -> Path:
    """One folder for all: the programs, 80 MB, are copied beside it once."""
    root = base / "instances"
    root.mkdir(exist_ok=True)
    root.chmod(0o711)
    return root

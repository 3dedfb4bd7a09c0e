"""A PostgreSQL that is frozen, as by a disk that hangs: its kernel acknowledges, and nothing ever answers."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection

from api.live import feed
from embedded import cluster, postgres
from embedded.down import down
from embedded.installation import open_installation, prepare_directory
from system.postgres_waits import BoundedConnection
from tests.api.test_feed import frame, socket
from tests.support.api import Api, running_api
from tests.support.postgres import PostgresServer
from tests.support.workers import wait_for

pytestmark = pytest.mark.servers


@pytest.fixture
def server(tmp_path: Path) -> Iterator[PostgresServer]:
    """One of its own, which nobody else waits for."""
    prepare_directory(tmp_path / "records")
    own = PostgresServer(open_installation(tmp_path / "records"))
    try:
        own.start()
        own.make_template()
        yield own
    finally:
        down(own.installation, purge=True, say=lambda text: None)


@contextmanager
def frozen(server: PostgresServer) -> Iterator[None]:
    main = postgres.running(cluster.prepare(server.installation).data)
    assert main is not None
    children = Path(f"/proc/{main.pid}/task/{main.pid}/children").read_text().split()
    pids = [main.pid, *map(int, children)]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def _until_its_end(opened: ClientConnection) -> None:
    while True:
        frame(opened)


def ready(api: Api) -> tuple[int, str]:
    answer = api.client.get("/readyz", timeout=60)
    return answer.status_code, answer.text


def test_frozen_records_are_said_by_who_is_asked_and_no_page_is_told_that_it_is_live(
    server: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "SILENT_SECONDS", 3.0)
    monkeypatch.setattr(feed, "_LOOK_ANYWAY_SECONDS", 0.5)
    with running_api(tmp_path / "api", server.new_database()) as api, socket(api) as live:
        assert frame(live)["type"] == "hello"
        with frozen(server):
            with pytest.raises(ConnectionClosed) as closed:
                _until_its_end(live)
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1013
            with patch.object(BoundedConnection, "answer_seconds", 2.0):
                assert api.client.get("/api/v1/runs", timeout=60).status_code == 503
            status, text = ready(api)
            assert (status, "database" in text) == (503, True)
            figures = api.client.get("/metrics", timeout=60)
            assert 'berth_ready{check="database"} 0.0' in figures.text
        wait_for(lambda: "database" not in ready(api)[1], 60, lambda: ready(api)[1])
        with socket(api) as again:
            assert frame(again)["type"] == "hello"

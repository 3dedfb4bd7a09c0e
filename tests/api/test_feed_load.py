"""A crowd of sockets on two API processes, one of which is killed: nothing lost, twice, or out of order.

The same clients as `make bench-feed`, fewer and for less time; only what must be so is asserted, no times.
"""

from __future__ import annotations

import signal
import socket
import time
from contextlib import ExitStack
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from bench.crowd import Load, api_process, crowd, writing
from db.session import open_database
from settings import psycopg2_url
from tests.support.api import NOWHERE, TOKEN

pytestmark = [pytest.mark.servers, pytest.mark.crash]
LOAD = Load(sockets=100, per_second=50, seconds=16)


@pytest.fixture
def settings(tmp_path: Path, database_url: str) -> dict[str, str]:
    """What two API processes of one Berth share."""
    (tmp_path / "token").write_text(TOKEN + "\n")
    (tmp_path / "keys").write_text(Fernet.generate_key().decode())
    return {"BERTH_DATA_DIR": str(tmp_path), "DATABASE_URL": database_url, "TEMPORAL_ADDRESS": NOWHERE}


def free_urls(count: int) -> list[str]:
    """Addresses that nobody listens on; all are taken at once, so that they differ."""
    with ExitStack() as held:
        probes = [held.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [f"http://127.0.0.1:{probe.getsockname()[1]}" for probe in probes]


def test_every_client_sees_every_version_once_and_in_order_though_its_api_process_is_killed(
    settings: dict[str, str], tmp_path: Path
) -> None:
    urls = free_urls(2)
    database = open_database(psycopg2_url(settings["DATABASE_URL"]), pool_size=2)
    with (
        api_process(urls[0], settings) as doomed,
        api_process(urls[1], settings),
        crowd(urls, TOKEN, LOAD, tmp_path) as clients,
        writing(database, LOAD),
    ):
        time.sleep(LOAD.seconds / 2)
        doomed.send_signal(signal.SIGKILL)
        heard = clients.heard()
    database.engine.dispose()
    assert heard.counts["cuts"] >= LOAD.sockets // 2, "nobody lost its API process"
    assert len(heard.late) == LOAD.sockets * LOAD.events
    wrong = {key: heard.counts[key] for key in ("lost", "again", "out_of_order", "gaps", "errors")}
    assert wrong == dict.fromkeys(wrong, 0)
    assert heard.counts["complete"] == LOAD.sockets

"""Two real API processes on one database: what one accepts the other tells, and clients survive either's death."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from cryptography.fernet import Fernet
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from db.session import Database, open_database
from tests.support.api import NOWHERE, TOKEN
from tests.support.events import emit_observed
from tests.support.ports import free_ports
from tests.support.postgres import PostgresServer
from tests.support.workers import wait_for

pytestmark = pytest.mark.servers
BEARER = {"Authorization": f"Bearer {TOKEN}"}
ROOT = Path(__file__).parents[2]


class Process:
    """`python -m api` on a port of its own."""

    def __init__(self, folder: Path, database_url: str) -> None:
        (port,) = free_ports(1)
        self.url = f"http://127.0.0.1:{port}"
        self.popen = subprocess.Popen(
            [sys.executable, "-m", "api"],
            cwd=ROOT,
            env={
                "PATH": os.defpath,
                "BERTH_DATA_DIR": str(folder),
                "BERTH_API_PORT": str(port),
                "DATABASE_URL": database_url,
                "TEMPORAL_ADDRESS": NOWHERE,
            },
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def wait(self) -> None:
        wait_for(self._answers, 30, "the API took too long to start", self._alive)

    def _alive(self) -> None:
        assert self.popen.poll() is None, "the API ended"

    def _answers(self) -> bool:
        try:
            return httpx2.get(f"{self.url}/livez", timeout=2, trust_env=False).status_code == 200
        except httpx2.HTTPError:
            return False

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        answer = httpx2.request(
            method, f"{self.url}/api/v1{path}", json=body, headers=BEARER, timeout=60, trust_env=False
        )
        assert answer.status_code < 300, answer.text
        return answer.json()

    def end(self) -> None:
        self.popen.kill()
        self.popen.wait(60)


@pytest.fixture
def pair(tmp_path: Path, postgres_server: PostgresServer) -> Iterator[tuple[Process, Process, Database]]:
    (tmp_path / "token").write_text(TOKEN)
    (tmp_path / "keys").write_text(Fernet.generate_key().decode())
    url = postgres_server.new_database()
    database = open_database(url, pool_size=5)
    processes = [Process(tmp_path, url) for _ in range(2)]
    try:
        for process in processes:
            process.wait()
        yield processes[0], processes[1], database
    finally:
        for process in processes:
            process.end()
        database.engine.dispose()


@contextmanager
def following(process: Process, after: str | None) -> Iterator[ClientConnection]:
    where = f"{process.url.replace('http', 'ws', 1)}/ws" + (f"?after={after}" if after else "")
    opened = connect(where, additional_headers=BEARER, open_timeout=60, compression=None)
    with opened:
        yield opened


def events(opened: ClientConnection, count: int) -> list[Any]:
    found: list[Any] = []
    read_into(found, opened, count)
    return found


def read_into(found: list[Any], opened: ClientConnection, count: int = 1_000_000) -> None:
    """Events until there are `count`, or until the line is cut."""
    while len(found) < count:
        form = json.loads(opened.recv(timeout=60))
        if "time" in form:
            found.append(form)


def emit(database: Database, versions: range) -> None:
    for version in versions:
        with database.begin() as tx:
            emit_observed(tx, "ins_two", version, {})


def test_what_one_process_accepts_the_other_tells_and_reads(pair: tuple[Process, Process, Database]) -> None:
    one, two, _ = pair
    with following(two, None) as opened:
        json.loads(opened.recv(timeout=60))
        made = one.ask("POST", "/instances", {"name": "shared", "blueprint": "web", "provider": "simulated"})
        assert events(opened, 1)[0]["instance_id"] == made["instance"]["id"]
    assert two.ask("GET", "/instances/shared")["version"] == made["instance"]["version"]
    waiting = two.ask("GET", f"/operations/{made['operation']['id']}?wait=0.2")
    assert waiting["status"] == "pending"
    assert one.ask("POST", f"/operations/{made['operation']['id']}/cancel")["operation"]["status"] == "cancelled"
    assert two.ask("GET", f"/operations/{made['operation']['id']}?wait=5")["done"]


def test_a_client_goes_on_at_the_other_process_when_its_own_is_killed(
    pair: tuple[Process, Process, Database],
) -> None:
    one, two, database = pair
    with following(one, None) as opened:
        json.loads(opened.recv(timeout=60))
        emit(database, range(1, 11))
        seen = events(opened, 6)
        one.popen.send_signal(signal.SIGKILL)
        emit(database, range(11, 21))
        with pytest.raises(ConnectionClosed):
            read_into(seen, opened)
    with following(two, seen[-1]["cursor"]) as opened:
        seen += events(opened, 20 - len(seen))
    assert [event["version"] for event in seen] == list(range(1, 21))

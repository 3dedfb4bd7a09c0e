"""SIGTERM: not ready first, waiting requests let go, then the end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import pytest
from cryptography.fernet import Fernet

from tests.support.api import NOWHERE, TOKEN
from tests.support.patience import busy
from tests.support.postgres import PostgresServer
from tests.support.temporal import free_ports

pytestmark = pytest.mark.servers
ROOT = Path(__file__).parents[2]


@pytest.fixture
def served(tmp_path: Path, postgres_server: PostgresServer) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    (tmp_path / "token").write_text(TOKEN)
    (tmp_path / "keys").write_bytes(Fernet.generate_key())
    port = free_ports(1)[0]
    environment = {
        "PATH": "/usr/bin:/bin",
        "HOME": os.environ.get("HOME", "/"),
        "DATABASE_URL": postgres_server.new_database(),
        "TEMPORAL_ADDRESS": NOWHERE,
        "BERTH_DATA_DIR": str(tmp_path),
        "BERTH_API_PORT": str(port),
    }
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "api"], env=environment, cwd=ROOT, stdout=log, stderr=log
        )
    url = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 30
        while not _lives(url):
            assert process.poll() is None, (tmp_path / "log").read_text()[-2000:]
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield url, process
    finally:
        process.kill()
        process.wait(10)


def _lives(url: str) -> bool:
    try:
        return httpx2.get(f"{url}/livez", trust_env=False).status_code == 200
    except httpx2.TransportError:
        return False


def test_the_api_turns_red_lets_go_and_ends(served: tuple[str, subprocess.Popen[bytes]]) -> None:
    url, process = served
    headers = {"Authorization": f"Bearer {TOKEN}"}
    with httpx2.Client(base_url=url, headers=headers, timeout=30, trust_env=False) as client:
        body = {"name": "demo", "blueprint": "web", "provider": "simulated"}
        operation = client.post("/api/v1/instances", json=body).json()["operation"]["id"]
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(client.get, f"/api/v1/operations/{operation}?wait=30")
            time.sleep(0.5)
            begun = time.monotonic()
            process.send_signal(signal.SIGTERM)
            time.sleep(0.05)
            ready = client.get("/readyz?verbose")
            answer = waiting.result(10)
    ended = process.wait(10)

    assert ready.status_code == 503
    assert "shutting down" in ready.text
    assert answer.json()["done"] is False
    assert ended == 0
    assert time.monotonic() - begun < 6 * busy()

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
from tests.support.ports import free_ports
from tests.support.postgres import PostgresServer
from tests.support.workers import wait_for

pytestmark = pytest.mark.servers
ROOT = Path(__file__).parents[2]
_LONG_DRAIN = "import api.app; api.app._DRAIN_SECONDS = 3.0; from api.__main__ import main; main()"
"""`python -m api` that stays red for so long that it can be seen whatever else goes on."""


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
            [sys.executable, "-c", _LONG_DRAIN], env=environment, cwd=ROOT, stdout=log, stderr=log
        )
    url = f"http://127.0.0.1:{port}"
    try:
        wait_for(lambda: process.poll() is not None or _lives(url), 60, (tmp_path / "log").read_text)
        assert process.poll() is None, (tmp_path / "log").read_text()[-2000:]
        yield url, process
    finally:
        process.kill()
        process.wait(60)


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
            told: list[httpx2.Response] = []

            def red() -> bool:
                told.append(client.get("/readyz?verbose"))
                return "shutting down" in told[-1].text

            wait_for(red, 30, lambda: told[-1].text)
            answer = waiting.result(60)
    ended = process.wait(60)

    assert told[-1].status_code == 503
    assert answer.json()["done"] is False
    assert ended == 0
    assert time.monotonic() - begun < 25 * busy(), "it waited for who waits"

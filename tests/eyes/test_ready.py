"""`/readyz` says which part is missing, each of them really missing, and turns red first when the API ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlalchemy import text

from api import health
from db.migrate import head
from tests.support.api import Api
from tests.support.ports import free_ports
from tests.support.whole import MakeWhole, Whole
from tests.support.workers import wait_for

pytestmark = pytest.mark.servers
_ROOT = Path(__file__).parents[2]
_LONG_DRAIN = "import api.app; api.app._DRAIN_SECONDS = 3.0; from api.__main__ import main; main()"
"""`python -m api` that stays red for so long that it can be seen whatever else goes on."""


def checks(api: Api) -> dict[str, bool]:
    form: dict[str, Any] = api.client.get("/readyz?verbose").json()
    return {check["name"]: check["ok"] for check in form["checks"]}


def becomes(api: Api, name: str, ok: bool) -> None:
    wait_for(lambda: checks(api).get(name) is ok, 20, lambda: f"{name}: {checks(api)}")


def test_a_whole_berth_is_ready_and_lists_what_it_looked_at(whole: Whole) -> None:
    becomes(whole.api, "worker", True)
    becomes(whole.api, "keeper", True)
    assert checks(whole.api) == dict.fromkeys(
        ("database", "migrations", "keeper", "keys", "temporal", "worker"), True
    )
    assert whole.api.client.get("/readyz").text == "ok"


def test_a_migration_that_is_missing_is_named(whole: Whole) -> None:
    with whole.api.database.begin() as tx:
        tx.session.execute(text("update alembic_version set version_num = '0001'"))
    becomes(whole.api, "migrations", False)
    answer = whole.api.client.get("/readyz")
    assert (answer.status_code, answer.text) == (503, "not ready: migrations")
    with whole.api.database.begin() as tx:
        tx.session.execute(text("update alembic_version set version_num = :head"), {"head": head()})
    becomes(whole.api, "migrations", True)


def test_a_worker_that_is_frozen_is_named_before_temporal_misses_it(
    whole: Whole, monkeypatch: pytest.MonkeyPatch
) -> None:
    becomes(whole.api, "keeper", True)
    monkeypatch.setattr(health, "KEEPER_SILENT_SECONDS", 3.0)
    os.kill(whole.spine.workers[0].pid, signal.SIGSTOP)
    try:
        becomes(whole.api, "keeper", False)
        assert whole.api.client.get("/readyz").text == "not ready: keeper"
    finally:
        os.kill(whole.spine.workers[0].pid, signal.SIGCONT)
    becomes(whole.api, "keeper", True)


def test_temporal_and_a_worker_that_are_missing_are_named(api: Api, make_whole: MakeWhole) -> None:
    assert checks(api)["temporal"] is False
    without = make_whole(worker=False)
    becomes(without.api, "temporal", True)
    assert checks(without.api)["worker"] is False


def test_before_it_ends_it_says_that_it_is_not_ready(make_whole: MakeWhole) -> None:
    whole = make_whole()
    (port,) = free_ports(1)
    log = whole.spine.folder / "second-api.log"
    with log.open("wb") as sink:
        process = subprocess.Popen(
            [sys.executable, "-c", _LONG_DRAIN],
            cwd=_ROOT,
            env=whole.spine.environment() | {"BERTH_API_PORT": str(port)},
            stderr=sink,
        )
    try:
        with httpx2.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=60) as balancer:
            wait_for(lambda: _status(balancer) == 200, 60, log.read_text)
            os.kill(process.pid, signal.SIGTERM)
            seen = _until_it_listens_no_more(balancer)
        assert seen[-1] == 503, seen
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.wait(60)


def _until_it_listens_no_more(balancer: httpx2.Client) -> list[int]:
    """What it has answered, in order."""
    seen: list[int] = []

    def ended() -> bool:
        status = _status(balancer)
        if status is not None:
            seen.append(status)
        return status is None

    wait_for(ended, 20, lambda: f"it goes on answering: {seen[-5:]}")
    return seen


def _status(balancer: httpx2.Client) -> int | None:
    """Of one look; None: nobody answers."""
    try:
        return balancer.get("/readyz").status_code
    except httpx2.HTTPError:
        return None

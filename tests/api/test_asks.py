"""Questions through a worker: what a killed one took with it is no reason to refuse the next."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from temporalio import activity
from temporalio.worker import Worker

from api import asks
from api.asks import Asks, Place
from db.vault import Vault
from domain.errors import Unavailable
from tests.support.temporal import TemporalServer
from workflows.connection import connect

pytestmark = pytest.mark.servers
NOWHERE, THERE = Place("process", "nobody"), Place("simulated")


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    (tmp_path / "keys").write_bytes(Fernet.generate_key())
    return Vault.open(tmp_path / "keys")


def test_a_question_that_a_worker_took_and_lost_refuses_no_other(
    temporal_server: TemporalServer, vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = 0

    @activity.defn
    async def read_logs(given: str) -> str:
        nonlocal taken
        taken += 1
        if taken == 1:
            await asyncio.sleep(600)  # like one whose worker was killed: nobody will ever answer it
        return vault.seal("read_logs", {"lines": [vault.unseal("read_logs", given, 60)["instance_id"]]})

    async def ask() -> list[str]:
        client = await connect(temporal_server.address, temporal_server.new_namespace())
        asking = Asks(client, vault, asyncio.get_running_loop())
        async with Worker(client, task_queue=THERE.queue, activities=[read_logs]):
            with pytest.raises(Unavailable, match="does not answer"):
                await asking.logs("first", THERE, 10)
            return await asking.logs("second", THERE, 10)

    monkeypatch.setattr(asks, "ASK_SECONDS", 3.0)
    assert asyncio.run(ask()) == ["second"]
    assert taken == 2


def test_a_queue_from_which_nobody_takes_is_left_alone_for_a_moment(
    temporal_server: TemporalServer, vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = 0

    async def ask() -> None:
        client = await connect(temporal_server.address, temporal_server.new_namespace())
        asking = Asks(client, vault, asyncio.get_running_loop())
        execute = client.execute_activity

        def counted(*given: Any, **more: Any) -> Any:
            nonlocal asked
            asked += 1
            return execute(*given, **more)

        monkeypatch.setattr(client, "execute_activity", counted)
        for name in ("first", "second"):
            with pytest.raises(Unavailable, match="does not answer"):
                await asking.logs(name, NOWHERE, 10)

    monkeypatch.setattr(asks, "ASK_SECONDS", 3.0)
    monkeypatch.setattr(asks, "_QUIET_SECONDS", 60.0)
    asyncio.run(ask())
    assert asked == 1

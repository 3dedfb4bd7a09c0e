"""What the keeper asks a worker about a real object has an end, whatever becomes of Temporal meanwhile."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from db.vault import Vault
from domain.lifecycle import Status
from keeper.looking import Looker
from services.requests.maintenance import Due
from tests.support.temporal import TemporalServer
from workflows.connection import connect

pytestmark = pytest.mark.servers
_FOUND = Due("inst_1", "simulated", None, Status.MAINTENANCE, over=True)


async def test_a_temporal_that_freezes_while_it_is_asked_holds_nobody_up(
    own_temporal: TemporalServer, tmp_path: Path
) -> None:
    keys = tmp_path / "keys"
    keys.write_bytes(Fernet.generate_key())
    client = await connect(own_temporal.address, own_temporal.new_namespace())
    look = asyncio.create_task(Looker(client, Vault.open(keys)).look(_FOUND))
    await asyncio.sleep(1.5)  # it is asked and waits: nobody works there
    with own_temporal.frozen():
        async with asyncio.timeout(20):
            assert await look is None

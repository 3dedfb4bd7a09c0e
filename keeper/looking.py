"""One look at a real object for the keeper, through the worker that can reach it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta

from temporalio.client import ActivityFailureError, Client
from temporalio.service import RPCError
from ulid import ULID

from db.vault import Vault
from domain.lifecycle import Status
from domain.work import Seen
from services.operations.planning import task_queue
from services.requests.maintenance import Due

_QUESTION = "observe_instance"
_LOOK_SECONDS = 3.0
_TO_TELL = 1.5
"""Later than Temporal's own end of it. Where Temporal itself is silent, its client would ask for ever."""
_ANSWER_SECONDS = 60
_SHOWN = {Seen.UP: Status.RUNNING, Seen.DOWN: Status.STOPPED}


@dataclass(frozen=True)
class Looker:
    """Built by the worker."""

    client: Client
    vault: Vault

    async def look(self, found: Due) -> Status | None:
        """Whether it runs or rests; None when nobody answered in time, or it shows neither."""
        limit = timedelta(seconds=_LOOK_SECONDS)
        try:
            async with asyncio.timeout(_LOOK_SECONDS + _TO_TELL):
                sealed = await self.client.execute_activity(
                    _QUESTION,
                    self.vault.seal(_QUESTION, {"instance_id": found.instance_id}),
                    id=f"observe-{found.instance_id}-{ULID()}",
                    task_queue=task_queue(found.provider, found.host_id),
                    schedule_to_close_timeout=limit,
                    result_type=str,
                    rpc_timeout=limit,
                )
        except (ActivityFailureError, RPCError, TimeoutError):
            return None
        answer = self.vault.unseal(_QUESTION, sealed, _ANSWER_SECONDS)
        return _SHOWN.get(Seen(answer["seen"]))

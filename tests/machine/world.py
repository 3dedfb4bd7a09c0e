"""The Berth that the machine drives: its own API and records, and a worker that is always restarted."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
from temporalio.client import WorkflowHandle
from temporalio.service import RPCError, RPCStatusCode

from services.operations.acceptance import workflow_id
from tests.machine.sight import ProviderFile, Sight, look
from tests.support.api import Api, running_api
from tests.support.postgres import PostgresServer
from tests.support.spine import Spine
from tests.support.temporal import TemporalServer
from tests.support.workers import Kept, wait_for
from workflows.connection import connect

SHORT = {
    "BERTH_KEEPER_INTERVAL_SECONDS": "0.2",
    "BERTH_GONE_LOOK_SECONDS": "0.4",
    "BERTH_RUN_HOLD_SECONDS": "1",
    "BERTH_CANCEL_GRACE_SECONDS": "4",
    "BERTH_PARK_SECONDS": "30",
    "BERTH_MONITOR": "0",
}
_SETTLE_SECONDS = 10.0
_WORKER_SECONDS = 90.0


@dataclass
class World:
    """The parts of it, and the questions that the machine and its invariants ask."""

    spine: Spine
    api: Api
    kept: Kept
    file: ProviderFile
    made: Counter[str] = field(default_factory=Counter)
    """Moves over all examples, by name."""
    answers: Counter[int] = field(default_factory=Counter)
    examples: int = 0

    def look(self, deployment_ids: Iterable[str]) -> Sight:
        return look(self.spine.database, deployment_ids)

    def kill_worker(self) -> None:
        """SIGKILL; its keeper starts another. One that is not ready yet is left alone."""
        worker = self.kept.current
        if worker.process.poll() is None:
            worker.kill()

    def wait_quiet(self, deployment_ids: Iterable[str], seconds: float) -> None:
        """Wait until nothing is pending or running, and every hold is carried out."""
        ids = list(deployment_ids)

        def quiet() -> bool:
            sight = self.look(ids)
            return not sight.unfinished and not sight.astray

        def why() -> str:
            sight = self.look(ids)
            left = "; ".join(self.story(operation.id) for operation in sight.unfinished)
            return f"not settled in time: {left}; not suspended: {sight.astray}"

        wait_for(quiet, seconds, why)

    def wait_still(self, deployment_ids: Iterable[str]) -> None:
        """Wait until the provider has settled what it had only accepted."""
        own = set(deployment_ids)
        wait_for(
            lambda: not [t for t in self.file.things().values() if t.moving and t.deployment_id in own],
            _SETTLE_SECONDS,
            "the provider did not settle",
        )

    def inventory(self) -> list[dict[str, Any]]:
        """What the provider holds, as its worker says. One that was killed answers once it was started again."""
        answers: list[httpx2.Response] = []

        def answered() -> bool:
            answers.append(self.api.ask("GET", "/providers/simulated/inventory"))
            return answers[-1].status_code == 200

        wait_for(answered, _WORKER_SECONDS, lambda: answers[-1].text)
        return list(answers[-1].json()["items"])

    def story(self, operation_id: str) -> str:
        return self.spine.story(operation_id)

    def end_run(self, deployment_id: str, how: str) -> None:
        """What an operator may do to the run itself: `terminate` or `cancel`. One that is closed does not mind."""
        asyncio.run(self._end_run(deployment_id, how))

    async def _end_run(self, deployment_id: str, how: str) -> None:
        handle = await self._handle(deployment_id)
        try:
            await (handle.terminate("chaos") if how == "terminate" else handle.cancel())
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise

    def open_runs(self, deployment_ids: Iterable[str]) -> list[str]:
        """Deployments with a workflow run that has not closed."""
        return asyncio.run(self._open_runs(list(deployment_ids)))

    async def _open_runs(self, deployment_ids: list[str]) -> list[str]:
        found = []
        for deployment_id in deployment_ids:
            handle = await self._handle(deployment_id)
            try:
                shown = await handle.describe()
            except RPCError as error:
                if error.status is not RPCStatusCode.NOT_FOUND:
                    raise
            else:
                if shown.close_time is None:
                    found.append(deployment_id)
        return found

    async def _handle(self, deployment_id: str) -> WorkflowHandle[Any, Any]:
        client = await connect(self.spine.temporal.address, self.spine.namespace)
        return client.get_workflow_handle(workflow_id(deployment_id))


@contextmanager
def running_world(folder: Path, postgres: PostgresServer, temporal: TemporalServer) -> Iterator[World]:
    """Start it; everything is stopped when the block ends."""
    spine = Spine(folder, postgres.new_database(), temporal, temporal.new_namespace(), settings=dict(SHORT))
    with running_api(
        folder, spine.database_url, TEMPORAL_ADDRESS=temporal.address, TEMPORAL_NAMESPACE=spine.namespace
    ) as api:
        kept = Kept(spine.start_worker)
        try:
            yield World(spine, api, kept, ProviderFile(folder / "simulated.db"))
        finally:
            kept.stop()
            spine.close()

"""Stop operations that were asked to: cancel the run, and terminate that run id when its grace is over."""

from __future__ import annotations

from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from domain.limits import CLEANUP_SECONDS
from keeper.dispatch import RPC_TIMEOUT
from keeper.facts import KeeperLimits, Unfinished

_FORCED_GRACE = 1.0
_REMEMBERED = 10_000
"""Many more than are stopped at once; without them one is only asked again."""


class Stopper:
    """Remembers whom it has asked: a cancel is a state, and asking once is enough for one keeper."""

    def __init__(self, client: Client, limits: KeeperLimits) -> None:
        self._client = client
        self._limits = limits
        self._asked: set[str] = set()
        self._terminated: set[str] = set()

    async def stop(self, found: Unfinished) -> None:
        """Cancel once, then, after grace and clean-up time, terminate."""
        run_id = found.run_id
        if run_id is None:
            return
        handle = self._client.get_workflow_handle(found.workflow_id, first_execution_run_id=found.original_run_id)
        try:
            if found.id not in self._asked:
                await handle.cancel(rpc_timeout=RPC_TIMEOUT)
                _remember(self._asked, found.id)
            elif found.cancel_age_seconds > self._grace(found) and found.id not in self._terminated:
                await handle.terminate(
                    reason="did not close after its cancel within its grace", rpc_timeout=RPC_TIMEOUT
                )
                _remember(self._terminated, found.id)
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise

    def _grace(self, found: Unfinished) -> float:
        """A create has its compute to remove first; what is stuck and ended by force has had its time."""
        if found.forced:
            return _FORCED_GRACE
        extra = CLEANUP_SECONDS if found.kind in {"create", "modify"} else 0.0
        return self._limits.cancel_grace_seconds + extra


def _remember(told: set[str], operation_id: str) -> None:
    if len(told) >= _REMEMBERED:
        told.clear()
    told.add(operation_id)

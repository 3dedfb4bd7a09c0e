"""Start the workflow of a pending operation. A start may arrive twice; Plan lets one run act.

AlreadyStarted never fails an operation. The same operation: done. A holder that only listens after its failure:
closed. A holder that is final or unknown: given a moment to close, then cancelled, then terminated by run id.
"""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta

import structlog
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.common import SearchAttributeKey, SearchAttributePair, TypedSearchAttributes
from temporalio.common import WorkflowIDConflictPolicy as Conflict
from temporalio.common import WorkflowIDReusePolicy as Reuse
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from activities.contracts import OperationInput
from db.session import Database
from domain.limits import HANDOVER_SECONDS
from keeper.facts import Unfinished, is_unfinished
from system.tracing import joined, span
from workflows.registry import TASK_QUEUE, WORKFLOWS

log = structlog.get_logger("keeper")
RPC_TIMEOUT = timedelta(seconds=5)
_TASK_TIMEOUT = timedelta(seconds=5)
"""What a worker that died while it recorded something costs; longer work keeps its task alive by itself."""
_LOOK_AGAIN = 0.015
_CANCEL_SECONDS = 3.0

DEPLOYMENT_ID = SearchAttributeKey.for_keyword("DeploymentId")
OP_KIND = SearchAttributeKey.for_keyword("OpKind")
OP_ID = SearchAttributeKey.for_keyword("OpId")
OP_PHASE = SearchAttributeKey.for_keyword("OpPhase")
PROVIDER = SearchAttributeKey.for_keyword("Provider")
INSTANCE_NAME = SearchAttributeKey.for_keyword("InstanceName")
SEARCH_ATTRIBUTES = (DEPLOYMENT_ID, OP_KIND, OP_ID, OP_PHASE, PROVIDER, INSTANCE_NAME)


async def dispatch(database: Database, client: Client, found: Unfinished, public_url: str = "") -> bool:
    """Start `found`, making room for it where an earlier run of the deployment has not closed.

    False when it has to wait: a pre-empted holder still cleans up, and its end wakes the keeper.
    """
    with joined(found.traceparent), span("dispatch", operation=found.id, kind=found.kind, provider=found.provider):
        return await _dispatch(database, client, found, public_url)


async def _dispatch(database: Database, client: Client, found: Unfinished, public_url: str) -> bool:
    give_up = time.monotonic() + HANDOVER_SECONDS
    asked_to_close: str | None = None
    while True:
        try:
            await _start(client, found, public_url)
        except WorkflowAlreadyStartedError:
            holder = await _holder(client, found.workflow_id)
            if holder is None:
                continue
            run_id, operation_id = holder
            if operation_id == found.id:
                return True
            if not await asyncio.to_thread(_may_displace, database, operation_id):
                return False
            if asked_to_close != run_id:
                await ask_to_close(client, found.workflow_id, run_id, operation_id)
                asked_to_close = run_id
            if time.monotonic() > give_up:
                await _remove(client, found.workflow_id, run_id)
            await asyncio.sleep(_LOOK_AGAIN)
        else:
            return True


async def _start(client: Client, found: Unfinished, public_url: str) -> None:
    attributes = TypedSearchAttributes(
        [
            SearchAttributePair(DEPLOYMENT_ID, found.deployment_id),
            SearchAttributePair(OP_KIND, found.kind),
            SearchAttributePair(OP_ID, found.id),
            SearchAttributePair(OP_PHASE, "running"),
            SearchAttributePair(PROVIDER, found.provider),
            SearchAttributePair(INSTANCE_NAME, found.deployment_name),
        ]
    )
    await client.start_workflow(
        WORKFLOWS[found.kind].__name__,
        OperationInput(found.id, found.kind),
        id=found.workflow_id,
        task_queue=TASK_QUEUE,
        id_conflict_policy=Conflict.FAIL,
        id_reuse_policy=Reuse.ALLOW_DUPLICATE,
        memo={"operation_id": found.id},
        search_attributes=attributes,
        static_summary=f"{found.kind} · {found.deployment_name} · by {found.actor}",
        static_details=_way_back(found, public_url),
        task_timeout=_TASK_TIMEOUT,
        rpc_timeout=RPC_TIMEOUT,
    )


def _way_back(found: Unfinished, public_url: str) -> str | None:
    """For somebody who looks at the run in Temporal's own interface, which renders Markdown."""
    if not public_url:
        return None
    return f"[{found.kind} {found.deployment_name} in Berth]({public_url}/ui/operations/{found.id})"


async def _holder(client: Client, workflow_id: str) -> tuple[str, str] | None:
    """(run id, operation id) of the open run; None when it has closed meanwhile."""
    try:
        shown = await client.get_workflow_handle(workflow_id).describe(rpc_timeout=RPC_TIMEOUT)
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return None
        raise
    if shown.status is not WorkflowExecutionStatus.RUNNING or shown.run_id is None:
        return None
    return shown.run_id, str(await shown.memo_value("operation_id", ""))


def _may_displace(database: Database, operation_id: str) -> bool:
    """Whether the holder's operation is over (or nobody's): one that still runs is left to finish."""
    with database.begin() as tx:
        return not is_unfinished(tx, operation_id)


async def ask_to_close(client: Client, workflow_id: str, run_id: str, operation_id: str) -> None:
    """A listener closes on `abort`; a run that is just closing does not mind."""
    try:
        handle = client.get_workflow_handle(workflow_id, run_id=run_id)
        await handle.signal("abort", operation_id, rpc_timeout=RPC_TIMEOUT)
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise


async def _remove(client: Client, workflow_id: str, run_id: str) -> None:
    """Cancel a run that does not close by itself, then terminate exactly that run."""
    handle = client.get_workflow_handle(workflow_id, run_id=run_id)
    log.warning("removing a run that did not close", workflow=workflow_id, run=run_id)
    try:
        await handle.cancel(rpc_timeout=RPC_TIMEOUT)
        give_up = time.monotonic() + _CANCEL_SECONDS
        while time.monotonic() < give_up:
            await asyncio.sleep(0.1)
            shown = await handle.describe(rpc_timeout=RPC_TIMEOUT)
            if shown.status is not WorkflowExecutionStatus.RUNNING:
                return
        await handle.terminate(reason="its operation is over and another one waits", rpc_timeout=RPC_TIMEOUT)
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise

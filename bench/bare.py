"""The floor: a workflow with the same graph as one of ours, whose activities do nothing.

Local activity (plan) → activity on the provider's queue (act) → local activity (finish). Same server, converter,
sandbox mode and process count as Berth's own worker.
"""

from __future__ import annotations

from datetime import timedelta

from temporalio import activity, workflow

with workflow.unsafe.imports_passed_through():
    from activities.contracts import OperationInput

QUEUE = "bench-bare"
PROVIDER_QUEUE = "bench-bare-provider"
_TIMEOUT = timedelta(seconds=10)


@activity.defn
def bare_local(given: OperationInput) -> OperationInput:
    """In the place of Plan and Finish."""
    return given


@activity.defn
async def bare_act(given: OperationInput) -> OperationInput:
    """In the place of the provider's verb."""
    return given


@workflow.defn
class BareWorkflow:
    """Nothing but the graph."""

    @workflow.run
    async def run(self, given: OperationInput) -> str:
        """Returns at once when the three activities have."""
        given = await workflow.execute_local_activity(bare_local, given, start_to_close_timeout=_TIMEOUT)
        given = await workflow.execute_activity(
            bare_act, given, task_queue=PROVIDER_QUEUE, start_to_close_timeout=_TIMEOUT
        )
        await workflow.execute_local_activity(bare_local, given, start_to_close_timeout=_TIMEOUT)
        return "succeeded"

"""The workflow of suspend: see `workflows.driver` for its life."""

from __future__ import annotations

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.contracts import OperationInput
    from workflows.driver import OperationRun


@workflow.defn
class SuspendWorkflow(OperationRun):
    """Stop every member because a hold stands on their deployment."""

    @workflow.run
    async def run(self, given: OperationInput) -> str:
        """Returns `succeeded`."""
        return await self.carry_out(given)

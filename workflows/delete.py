"""The workflow of delete: see `workflows.driver` for its life."""

from __future__ import annotations

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.contracts import OperationInput
    from workflows.driver import OperationRun


@workflow.defn
class DeleteWorkflow(OperationRun):
    """Remove instances and their data, then their records."""

    @workflow.run
    async def run(self, given: OperationInput) -> str:
        """Returns `succeeded`."""
        return await self.carry_out(given)

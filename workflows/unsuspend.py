"""The workflow of unsuspend: see `workflows.driver` for its life."""

from __future__ import annotations

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.contracts import OperationInput
    from workflows.driver import OperationRun


@workflow.defn
class UnsuspendWorkflow(OperationRun):
    """Bring members back to what they were before their suspension; success lifts the hold."""

    @workflow.run
    async def run(self, given: OperationInput) -> str:
        """Returns `succeeded`."""
        return await self.carry_out(given)

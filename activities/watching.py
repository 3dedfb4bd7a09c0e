"""Around every activity: the ids that its log lines carry, and its measure. Given to each Temporal worker."""

from __future__ import annotations

from typing import Any

import structlog
from temporalio import activity
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from activities.meters import activity_run

log = structlog.get_logger("worker")
_WORKFLOW = "deployment-"


class Watching(Interceptor):
    """Every attempt."""

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002
        return _Watched(next)


class _Watched(ActivityInboundInterceptor):
    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002 - Temporal's own name
        info = activity.info()
        given = input.args[0] if input.args else None
        workflow_id = info.workflow_id or ""
        known = {
            "deployment": workflow_id.removeprefix(_WORKFLOW) if workflow_id.startswith(_WORKFLOW) else None,
            "workflow": info.workflow_id,
            "run": info.workflow_run_id,
            "activity": info.activity_type,
            "attempt": info.attempt,
            "operation": getattr(getattr(given, "owner", None), "operation_id", None),
            "instance": getattr(given, "instance_id", None),
        }
        named = {key: value for key, value in known.items() if value is not None}
        with structlog.contextvars.bound_contextvars(**named), activity_run(info.activity_type):
            return await self._attempt(input)

    async def _attempt(self, given: ExecuteActivityInput) -> Any:
        try:
            return await super().execute_activity(given)
        except Exception as error:
            # Its message is stored with the step, where it belongs to its project; here its kind must do.
            log.info("attempt failed", error=getattr(error, "type", None) or type(error).__name__)
            raise

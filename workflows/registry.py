"""The workflow type of each durable operation. `ls workflows` is the feature list; this names it to the worker."""

from __future__ import annotations

from workflows.create import CreateWorkflow
from workflows.delete import DeleteWorkflow
from workflows.driver import OperationRun
from workflows.modify import ModifyWorkflow
from workflows.restart import RestartWorkflow
from workflows.start import StartWorkflow
from workflows.stop import StopWorkflow
from workflows.suspend import SuspendWorkflow
from workflows.unsuspend import UnsuspendWorkflow

TASK_QUEUE = "berth"

WORKFLOWS: dict[str, type[OperationRun]] = {
    "create": CreateWorkflow,
    "modify": ModifyWorkflow,
    "start": StartWorkflow,
    "stop": StopWorkflow,
    "restart": RestartWorkflow,
    "suspend": SuspendWorkflow,
    "unsuspend": UnsuspendWorkflow,
    "delete": DeleteWorkflow,
}

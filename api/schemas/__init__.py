"""The forms of answers, for OpenAPI and the clients made from it. A test compares real answers with them.

Fields may be added; clients must tolerate what they do not know. Statuses are open: newer ones may appear.
"""

from __future__ import annotations

from api.schemas.base import Change, FieldProblem, Form, Items, Link, Problem
from api.schemas.deployments import (
    AcceptedDeployment,
    DeploymentForm,
    DeploymentList,
    DeploymentMember,
    Plan,
    PlanCheck,
    PlanCounts,
    PlannedChange,
    PlannedStep,
    SkippedMember,
)
from api.schemas.history import Event, EventList, History, Run, RunList
from api.schemas.instances import (
    AcceptedInstance,
    Action,
    AppliedSpec,
    BatchResult,
    BatchRow,
    Instance,
    InstanceList,
    KeyRotation,
    Logs,
    Resources,
    Secret,
    Secrets,
    Spec,
)
from api.schemas.operations import (
    BriefOperation,
    ErrorHelp,
    OperationError,
    OperationForm,
    OperationList,
    Progress,
    Step,
    StepAttempt,
    Times,
)
from api.schemas.orphans import Orphan, OrphanReport, UnaskedPlace

__all__ = [
    "AcceptedDeployment",
    "AcceptedInstance",
    "Action",
    "AppliedSpec",
    "BatchResult",
    "BatchRow",
    "BriefOperation",
    "Change",
    "DeploymentForm",
    "DeploymentList",
    "DeploymentMember",
    "ErrorHelp",
    "Event",
    "EventList",
    "FieldProblem",
    "Form",
    "History",
    "Instance",
    "InstanceList",
    "Items",
    "KeyRotation",
    "Link",
    "Logs",
    "OperationError",
    "OperationForm",
    "OperationList",
    "Orphan",
    "OrphanReport",
    "Plan",
    "PlanCheck",
    "PlanCounts",
    "PlannedChange",
    "PlannedStep",
    "Problem",
    "Progress",
    "Resources",
    "Run",
    "RunList",
    "Secret",
    "Secrets",
    "SkippedMember",
    "Spec",
    "Step",
    "StepAttempt",
    "Times",
    "UnaskedPlace",
]

"""Deployments and plans."""

from __future__ import annotations

from datetime import datetime

from pydantic import ConfigDict, Field

from api.schemas.base import Change, Form
from api.schemas.instances import Instance, Spec
from api.schemas.operations import BriefOperation, OperationForm
from domain.billing import Subscription
from domain.lifecycle import Role, Status


class DeploymentMember(Form):
    """A member as a list of deployments shows it."""

    id: str
    name: str
    role: Role
    status: Status


class DeploymentForm(Form):
    """The desired spec, and how its members are."""

    model_config = ConfigDict(title="Deployment")

    id: str
    name: str
    project: str
    blueprint: str
    provider: str
    host: str | None
    host_id: str | None
    spec: Spec
    members: int
    generation: int
    version: int
    status: Status | None
    instances: list[Instance] | list[DeploymentMember]
    current_operation: BriefOperation | None
    deletion_protection: bool
    subscription: Subscription | None = Field(
        description="Whether its owner wants to keep it, as billing said last; null: it has said nothing."
    )
    notice: str | None = Field(description="What billing wants and has not got, and why; null: nothing.")
    created_at: datetime
    updated_at: datetime


class DeploymentList(Form):
    """A page."""

    items: list[DeploymentForm]
    next_page_token: str | None = None


class SkippedMember(Form):
    """A member that an action of the whole deployment left alone."""

    id: str
    name: str
    reason: str


class AcceptedDeployment(Form):
    """What was accepted. The deployment is null when it is gone."""

    deployment: DeploymentForm | None
    operation: OperationForm
    skipped: list[SkippedMember] | None = None


class PlanCounts(Form):
    """How many instances."""

    created: int
    changed_in_place: int
    restarted: int
    replaced: int
    deleted: int


class PlannedChange(Change):
    """One leaf that differs, and what changing it costs."""

    effect: str


class PlannedStep(Form):
    """One thing that would be done."""

    order: int
    instance: str
    does: str
    usual_seconds: float | None = None


class PlanCheck(Form):
    """ok, warning or blocker."""

    level: str
    text: str


class Plan(Form):
    """What a change would do."""

    id: str
    base_version: int
    counts: PlanCounts
    disruption: str
    changes: list[PlannedChange]
    steps: list[PlannedStep]
    checks: list[PlanCheck]

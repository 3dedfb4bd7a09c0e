"""The forms of answers, for OpenAPI and the clients made from it. A test compares real answers with them.

Fields may be added; clients must tolerate what they do not know. Statuses are open: newer ones may appear.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from domain.lifecycle import BillingStatus, Health, Operation, ProvisioningStatus, Role, Status
from domain.operations import OperationStatus, StepStatus


class Form(BaseModel):
    """Base of all."""

    model_config = ConfigDict(extra="allow", populate_by_name=True)


class FieldProblem(Form):
    """One wrong field."""

    pointer: str
    detail: str


class Link(Form):
    """An operation, and where it is read."""

    id: str
    kind: str
    href: str


class Problem(Form):
    """RFC 9457, and what helps a program to go on."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    retryable: bool
    help: str
    instance: str | None = None
    trace_id: str | None = None
    errors: list[FieldProblem] | None = None
    current_status: str | None = None
    allowed_actions: list[str] | None = None
    current_version: int | None = None
    operation: Link | None = None
    run_url: str | None = None


class Change(Form):
    """One leaf that differs."""

    path: str
    from_: Any = Field(None, alias="from")
    to: Any = None


class Action(Form):
    """One row of what can be done."""

    action: str
    label: str
    button: bool
    enabled: bool
    reason: str | None = None


class Resources(Form):
    """Limits of one instance."""

    cpu: float | None = None
    memory_mb: int | None = None
    disk_gb: int | None = None


class AppliedSpec(Form):
    """What reached the real object."""

    params: dict[str, Any]
    resources: Resources


class Spec(AppliedSpec):
    """What is desired."""

    members: int
    labels: dict[str, str]
    restart_policy: str
    timeouts: dict[str, float]
    database: dict[str, Any] | None


class BriefOperation(Form):
    """What an instance shows of the operation that works on it."""

    id: str
    kind: Operation
    status: OperationStatus
    phase: str
    done: bool
    needs_you: bool
    instance_ids: list[str]
    cancel_requested: bool
    actor: str
    created_at: datetime
    started_at: datetime | None
    slow_at: datetime | None
    stuck_at: datetime | None
    href: str


class Progress(Form):
    """How far it is."""

    step: int
    total: int
    message: str | None


class Times(Form):
    """Seconds."""

    p50: float
    p95: float


class StepAttempt(Form):
    """One try."""

    started_at: datetime
    ended_at: datetime | None = None
    error: str | None = None


class Step(Form):
    """One step."""

    name: str
    title: str
    instance_id: str | None
    status: StepStatus
    message: str | None
    attempts: list[StepAttempt]
    usual: Times | None = None


class ErrorHelp(Form):
    """What helps, and where more is said."""

    text: str
    url: str


class OperationError(Form):
    """Why it failed, what was kept and what was cleaned up."""

    code: str
    message: str | None
    step: str | None
    retryable: bool
    kept: list[str]
    cleaned: list[str]
    help: ErrorHelp


class OperationForm(BriefOperation):
    """One durable change."""

    model_config = ConfigDict(title="Operation")

    project: str
    deployment_id: str
    deployment_name: str
    instance_names: list[str]
    blueprint: str
    provider: str
    progress: Progress
    changed: bool
    attempt: int
    retry_of: str | None
    pre_empted_by: str | None
    parked_until: datetime | None
    reason: str | None
    source: str
    error: OperationError | None
    steps: list[Step]
    usual: Times | None
    workflow_id: str
    run_id: str | None
    temporal_url: str | None
    finished_at: datetime | None


class Instance(Form):
    """One real thing."""

    id: str
    instance_id: str
    name: str
    deployment_id: str
    deployment_name: str
    project: str
    role: Role
    blueprint: str
    provider: str
    host: str | None
    host_id: str | None
    spec: Spec
    applied_spec: AppliedSpec | None
    pending_changes: list[Change]
    resources: Resources
    labels: dict[str, str]
    status: Status
    lifecycle_state: str
    provisioning_status: ProvisioningStatus
    billing_status: BillingStatus
    health: Health
    health_checked_at: datetime | None
    provider_state: str | None
    provider_state_at: datetime | None
    error_code: str | None
    error_message: str | None
    error_origin: str | None
    endpoint: str | None
    port: int | None
    cloud_instance_id: str | None
    instance_type: str | None
    availability_zone: str | None
    customer_id: str | None
    db_type: str | None
    db_server_id: str | None
    version: int
    deployment_version: int
    current_operation: BriefOperation | None
    last_failed_operation_id: str | None
    allowed_actions: list[Action]
    launch_requested_at: datetime | None
    launch_confirmed_at: datetime | None
    launch_duration_seconds: float | None
    termination_requested_at: datetime | None
    termination_confirmed_at: datetime | None
    termination_duration_seconds: float | None
    created_at: datetime
    updated_at: datetime
    temporal_url: str | None


class InstanceList(Form):
    """A page. `instances` is `items` under its older name."""

    items: list[Instance]
    instances: list[Instance]
    counts: dict[str, int]
    next_page_token: str | None = None


class OperationList(Form):
    """A page, those that need somebody first."""

    items: list[OperationForm]
    counts: dict[str, int]
    next_page_token: str | None = None


class AcceptedInstance(Form):
    """What was accepted. The instance is null when its life is over."""

    instance: Instance | None
    operation: OperationForm


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


class Event(Form):
    """One entry of the feed."""

    cursor: str
    event_type: str
    instance_id: str | None
    deployment_id: str
    operation_id: str | None
    version: int | None
    status: str | None
    lifecycle_state: str | None
    from_: str | None = Field(None, alias="from")
    to: str | None
    source: str
    reason: str | None
    confirmation_method: str | None
    actor: str
    cloud_instance_id: str | None
    time: datetime
    data: dict[str, Any]


class EventList(Form):
    """News after a cursor."""

    items: list[Event]
    next: str
    snapshot_required: bool


class History(Form):
    """An instance's events, newest first. `events` is `items` under its older name."""

    items: list[Event]
    events: list[Event]
    next_page_token: str | None = None


class Run(Form):
    """A finished life."""

    run_id: str
    instance_id: str
    name: str
    deployment_id: str
    blueprint: str
    provider: str
    cloud_instance_id: str | None
    instance_type: str | None
    availability_zone: str | None
    created_at: datetime
    launched_at: datetime | None
    terminated_at: datetime
    termination_confirmed_at: datetime | None
    launch_duration_seconds: float | None
    termination_duration_seconds: float | None
    total_runtime_seconds: float | None
    termination_reason: str | None
    confirmation_method: str | None


class RunList(Form):
    """A page."""

    items: list[Run]
    next_page_token: str | None = None


class BatchRow(Form):
    """What became of one instance of a batch."""

    id: str
    status: int
    operation: OperationForm | None = None
    problem: Problem | None = None


class BatchResult(Form):
    """A row per instance, in the order asked."""

    items: list[BatchRow]


class Items(Form):
    """A list of objects."""

    items: list[dict[str, Any]]


class Secret(Form):
    """One secret."""

    name: str
    value: str


class Secrets(Form):
    """What an instance keeps secret."""

    items: list[Secret]
    connection_uri: str | None


class Logs(Form):
    """The instance's own last lines."""

    instance_id: str
    lines: list[str]

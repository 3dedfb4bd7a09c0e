"""Instances, and what is asked of them."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import ConfigDict, Field

from api.schemas.base import Change, Form, Problem
from api.schemas.operations import BriefOperation, OperationForm
from domain.billing import Subscription
from domain.holds import HoldCause
from domain.lifecycle import BillingStatus, Health, ProvisioningStatus, Role, Status
from domain.needs import Confirm


class ActionNeeds(Form):
    """What an action needs from the person. `params`: where their JSON schema is; null: it takes none."""

    confirm: Confirm
    reason: Literal["none", "optional", "required"]
    params: str | None


class Action(Form):
    """One row of what can be done."""

    action: str
    label: str
    button: bool
    enabled: bool
    needs: ActionNeeds
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
    secrets: dict[str, int] | None = None
    """Secret parameters that are set, and the generation at which each was set last; never a value."""


class Spec(AppliedSpec):
    """What is desired."""

    members: int
    labels: dict[str, str]
    restart_policy: str
    timeouts: dict[str, float]
    database: dict[str, Any] | None


class Hold(Form):
    """A suspension that stands on the deployment."""

    cause: HoldCause
    by: str
    since: datetime
    note: str | None
    deletes_at: datetime | None


class MaintenanceForm(Form):
    """A maintenance, planned or begun."""

    model_config = ConfigDict(title="Maintenance")

    from_: datetime = Field(alias="from")
    until: datetime | None
    by: str
    since: datetime
    note: str | None
    begun: bool


class InstanceSummary(Form):
    """What every form of an instance tells."""

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
    labels: dict[str, str]
    status: Status
    lifecycle_state: str
    provisioning_status: ProvisioningStatus
    billing_status: BillingStatus
    health: Health
    health_checked_at: datetime | None
    health_reason: str | None
    provider_state: str | None
    error_code: str | None
    error_message: str | None
    error_origin: str | None
    endpoint: str | None
    version: int
    current_operation: BriefOperation | None
    allowed_actions: list[Action]
    hold: Hold | None
    holds: list[Hold]
    suspended_from: Status | None
    maintenance: MaintenanceForm | None
    deletion_protection: bool
    subscription: Subscription | None = Field(
        description="Whether its owner wants to keep it, as billing said last; null: it has said nothing."
    )
    notice: str | None = Field(description="What billing wants and has not got, and why; null: nothing.")
    created_at: datetime
    updated_at: datetime = Field(description="When anything of it was written last, its health among it.")
    changed_at: datetime = Field(description="When a change of it was asked for last, or seen by a look.")
    changed_by: str = Field(description="Who asked for it; `berth` where a look has seen it.")


class Instance(InstanceSummary):
    """One real thing."""

    spec: Spec
    applied_spec: AppliedSpec | None
    pending_changes: list[Change]
    resources: Resources
    provider_state_at: datetime | None
    port: int | None
    cloud_instance_id: str | None
    instance_type: str | None
    availability_zone: str | None
    customer_id: str | None
    db_type: str | None
    db_server_id: str | None
    deployment_version: int
    last_failed_operation_id: str | None
    launch_requested_at: datetime | None
    launch_confirmed_at: datetime | None
    launch_duration_seconds: float | None
    termination_requested_at: datetime | None
    termination_confirmed_at: datetime | None
    termination_duration_seconds: float | None
    temporal_url: str | None


class InstanceRow(InstanceSummary):
    """An instance in a table of many. `pending_changes`: whether there are some."""

    pending_changes: bool


class InstanceRowList(Form):
    """A page of rows."""

    items: list[InstanceRow]
    counts: dict[str, int]
    next_page_token: str | None = None


class InstanceList(Form):
    """A page. `instances` is `items` under its older name."""

    items: list[Instance]
    instances: list[Instance]
    counts: dict[str, int]
    next_page_token: str | None = None


class AcceptedInstance(Form):
    """What was accepted. The instance is null when its life is over."""

    instance: Instance | None
    operation: OperationForm


class BatchRow(Form):
    """What became of one instance of a batch."""

    id: str
    status: int
    operation: OperationForm | None = None
    problem: Problem | None = None


class BatchResult(Form):
    """A row per instance, in the order asked."""

    items: list[BatchRow]


class Secret(Form):
    """One secret."""

    name: str
    value: str


class Secrets(Form):
    """What an instance keeps secret."""

    items: list[Secret]
    connection_uri: str | None


class KeyRotation(Form):
    """How many keys the key file holds now, and how many secrets were encrypted with the new one."""

    keys: int
    secrets: int
    hint: str | None = Field(None, description="Which agents need the new key file before they can go on.")


class Logs(Form):
    """The instance's own last lines."""

    instance_id: str
    lines: list[str]

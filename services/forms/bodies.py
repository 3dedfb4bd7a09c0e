"""The shapes of bodies, strictly typed: `services.forms.validation` checks against them, OpenAPI shows them."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from domain.limits import MAX_MEMBERS, NAME_LENGTH
from domain.operations import Reason, RestartPolicy

_NAME = re.compile(r"[a-z][a-z0-9-]*\Z")
_LABEL_PREFIX = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?\Z")
_LABEL_WORD = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?\Z")
MAX_LABELS = 32

REASONS_OF_USERS = frozenset(
    {Reason.MANUAL, Reason.AUTO_SWITCH, Reason.EMERGENCY, Reason.CLEANUP, Reason.COST_OPTIMIZATION}
)
"""The others say that a part of Berth asked; nobody may borrow them."""


def _name(value: str) -> str:
    if len(value) > NAME_LENGTH or not _NAME.match(value):
        raise ValueError(f"must be 1 to {NAME_LENGTH} of a-z, 0-9 and -, starting with a letter")
    return value


def _label_key(value: str) -> str:
    prefix, slash, word = value.rpartition("/")
    if not _LABEL_WORD.match(word) or (slash and not _LABEL_PREFIX.match(prefix)):
        raise ValueError(
            "a label's key is 1 to 63 letters, digits, -, _ and ., optionally behind a DNS name and /"
        )
    return value


def _label_value(value: str) -> str:
    if value and not _LABEL_WORD.match(value):
        raise ValueError("a label's value is at most 63 letters, digits, -, _ and ., or empty")
    return value


def _labels(value: dict[str, str]) -> dict[str, str]:
    if len(value) > MAX_LABELS:
        raise ValueError(f"at most {MAX_LABELS} labels")
    return value


def _reason(value: Reason) -> Reason:
    if value not in REASONS_OF_USERS:
        raise ValueError(f"allowed: {', '.join(sorted(REASONS_OF_USERS))}")
    return value


Name = Annotated[
    str,
    AfterValidator(_name),
    Field(description=f"1–{NAME_LENGTH} of a-z, 0-9, -; starts with a letter; unique among what lives."),
]
Labels = Annotated[
    dict[Annotated[str, AfterValidator(_label_key)], Annotated[str, AfterValidator(_label_value)]],
    AfterValidator(_labels),
]
AskedReason = Annotated[Reason, Field(strict=False), AfterValidator(_reason)]


class Body(BaseModel):
    """Base of all: unknown fields and wrong types are refused."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class ResourcesBody(Body):
    """Limits of each instance; absent: the provider's default."""

    cpu: float | None = Field(None, ge=0.1, le=256, allow_inf_nan=False)
    memory_mb: int | None = Field(None, ge=64, le=1_048_576)
    disk_gb: int | None = Field(None, ge=1, le=65_536)


class TimeoutsBody(Body):
    """How long a launch and a termination may take, in seconds."""

    launch_seconds: float | None = Field(None, ge=5, le=86_400, allow_inf_nan=False)
    termination_seconds: float | None = Field(None, ge=5, le=86_400, allow_inf_nan=False)


class DatabaseBody(Body):
    """For blueprints that need a database; fixed for life."""

    mode: Literal["shared", "dedicated"] = Field(
        description="A server of its own, or a database on a common one; without a word about it: dedicated."
    )


class PatchBody(Body):
    """A JSON merge patch: null removes a field."""

    params: dict[str, Any] | None = None
    resources: ResourcesBody | None = None
    members: int | None = Field(None, ge=1, le=MAX_MEMBERS)
    labels: dict[str, str | None] | None = None
    restart_policy: Annotated[RestartPolicy, Field(strict=False)] | None = None
    deletion_protection: bool | None = None


class DeploymentPatchBody(PatchBody):
    """As the patch of an instance; with `plan_id` exactly what was planned is applied."""

    plan_id: str | None = None


class SpecBody(Body):
    """The desired state of a deployment."""

    params: dict[str, Any] = Field(default_factory=dict, description="As the blueprint's `params_schema` says.")
    resources: ResourcesBody = ResourcesBody()
    members: int = Field(1, ge=1, le=MAX_MEMBERS)
    labels: Labels = Field(default_factory=dict)
    restart_policy: Annotated[RestartPolicy, Field(strict=False)] = RestartPolicy.NEVER
    timeouts: TimeoutsBody = TimeoutsBody()
    database: DatabaseBody | None = None
    deletion_protection: bool = Field(False, description="While it is set, nothing of it can be deleted.")


class CreateBody(SpecBody):
    """A new deployment, or a new instance: a deployment with one member."""

    name: Name
    blueprint: str = Field(description="What runs; see `/blueprints`.", examples=["postgres"])
    provider: str = Field("process", description="Where it runs; see `/providers`.")
    customer_id: str | None = Field(
        None, min_length=1, max_length=128, description="Whose it is, in the words of your own records."
    )
    plan_id: str | None = Field(None, description="The id of a plan: only what was planned is made.")


class ActionBody(Body):
    """One action on what exists."""

    action: str = Field(description="An operation's name, or a synonym of it.", examples=["stop"])
    reason: AskedReason | None = None
    params: dict[str, Any] | None = Field(
        None,
        description="For `modify`: the merge patch. `stop`, `delete`: `{force}`. `suspend`: `{delete_after_days, "
        "note}`. `maintenance_on`: `{from, until, note}`.",
    )


class ReasonBody(Body):
    """Why somebody asks."""

    reason: AskedReason | None = None


class BatchFilter(Body):
    """Which instances a batch is for."""

    status: str | None = None
    blueprint: str | None = None
    provider: str | None = None
    deployment: str | None = None
    q: str | None = None
    label: str | None = None


class BatchBody(Body):
    """One action on many instances, named or found by a filter."""

    action: str
    reason: AskedReason | None = None
    ids: list[str] | None = Field(None, min_length=1, max_length=200, description="Ids or names.")
    filter: BatchFilter | None = None


class OperationBatchFilter(Body):
    """Which operations a batch is for."""

    status: str | None = None
    kind: str | None = None
    actor: str | None = None
    needs_you: bool | None = None
    q: str | None = None


class OperationBatchBody(Body):
    """One answer to many operations, named or found by a filter."""

    action: Literal["cancel", "retry", "abort"] = Field(examples=["retry"])
    ids: list[str] | None = Field(None, min_length=1, max_length=200, description="Ids.")
    filter: OperationBatchFilter | None = None


class LaunchBody(Body):
    """The older form of a launch: of a new virtual machine, or of what is stopped."""

    instance_type: str | None = Field(None, description="Needed for a name that nobody has.")
    availability_zone: str | None = None
    reason: AskedReason | None = None


class OdooBody(Body):
    """The older form of a create, at the root: an Odoo with a database server of its own."""

    name: Name
    admin_email: str
    admin_password: str = Field(description="Stored encrypted, and shown by `secrets:reveal` only.")
    database_name: str | None = None
    odoo_version: str | None = None


class ConfirmationBody(Body):
    """Evidence from outside that a change really happened."""

    operation_id: str
    kind: Literal["launched", "stopped", "terminated", "promoted"]
    generation: int = Field(ge=1)


class SweepBody(Body):
    """Which orphans go. Without `ids`: those of finished lives; with them: those named, unknown ones too."""

    dry_run: bool = Field(True, description="Only say what would be removed.")
    ids: list[Annotated[str, Field(min_length=1, max_length=300)]] | None = Field(
        None, max_length=500, description="`provider_id`s of the report."
    )
    provider: str | None = Field(None, description="Only this provider's.")


class FaultBody(Body):
    """A scripted fault of the simulated provider."""

    verb: str
    fault: str
    times: int | None = None
    seconds: float | None = None
    instance: str | None = None


class LoginBody(Body):
    """The code of a login link."""

    code: str = Field(min_length=1, max_length=200)


class TokenBody(Body):
    """A token for a program."""

    name: Name
    role: Literal["viewer", "operator", "admin", "service"]
    project: Name | None = Field(None, description="Absent: the project of the one who asks.")
    expires_in_seconds: int = Field(ge=60, le=366 * 86_400)


class LimitsBody(Body):
    """What a project may have at once; null: as the installation says, -1: no limit."""

    instances: int | None = Field(None, ge=-1, le=10**9)
    cpu: float | None = Field(None, ge=-1, le=10**9)
    memory_mb: int | None = Field(None, ge=-1, le=2**31 - 1)
    disk_gb: int | None = Field(None, ge=-1, le=2**31 - 1)
    unfinished_operations: int | None = Field(None, ge=-1, le=10**9)
    sockets: int | None = Field(None, ge=-1, le=10**9)

"""What travels between workflows and activities: ids and numbers, never a command, path, address or secret."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class OperationInput:
    """The input of every operation workflow. Everything else is loaded from the accepted operation."""

    operation_id: str
    kind: str


@dataclass(frozen=True)
class OwnerInput:
    """Who acts: the operation and the first run of its workflow, which a reset keeps."""

    operation_id: str
    original_run_id: str


@dataclass(frozen=True)
class PlanInput:
    """Claim and plan."""

    owner: OwnerInput
    run_id: str


@dataclass(frozen=True)
class StepInput:
    """One instance's part in an operation."""

    owner: OwnerInput
    instance_id: str
    within_seconds: float = 0
    """What the whole step may take, for the words of a poll that gives up."""


@dataclass(frozen=True)
class StepResult:
    """`confirmed`: the end state is proven and recorded; else a confirmation is still to come."""

    confirmed: bool


@dataclass(frozen=True)
class FailedStep:
    """A step that has failed for good, with what is known of the cause."""

    owner: OwnerInput
    instance_id: str
    error: dict[str, object]
    step: str | None = None
    """A step that stands beside the instance's own, such as that of its database."""


@dataclass(frozen=True)
class FinishInput:
    """The outcome to be recorded."""

    owner: OwnerInput
    verdict: str
    error: dict[str, object] | None = None
    looks: dict[str, str] = field(default_factory=dict)
    park_seconds: float = 0


@dataclass(frozen=True)
class FinishResult:
    """The outcome as recorded, whoever came first."""

    status: str
    error: dict[str, object] | None
    parked: bool


@dataclass(frozen=True)
class PlannedStepResult:
    """One step of the plan, as the workflow needs it."""

    instance_id: str
    name: str
    verb: str
    queue: str
    attempt_seconds: float
    total_seconds: float
    attempts: int = 6
    """How often transient failures are tried; 0: until the total is over."""


@dataclass(frozen=True)
class PlanResult:
    """The plan, as the workflow needs it."""

    operation_id: str
    kind: str
    deployment: str
    park_seconds: float
    phases: list[list[PlannedStepResult]]
    rolling: bool


@dataclass(frozen=True)
class ConfirmationInput:
    """A confirmation that arrived as a signal."""

    owner: OwnerInput
    instance_id: str
    kind: str
    generation: int

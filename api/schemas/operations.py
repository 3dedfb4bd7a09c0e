"""Operations and their steps."""

from __future__ import annotations

from datetime import datetime

from pydantic import ConfigDict

from api.schemas.base import Form
from domain.lifecycle import Operation
from domain.operations import OperationStatus, StepStatus


class Progress(Form):
    """How far it is."""

    step: int
    total: int
    message: str | None


class Times(Form):
    """Seconds."""

    p50: float
    p95: float


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
    progress: Progress
    usual: Times | None
    href: str


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
    temporal_url: str | None = None
    """The failing event in the engine's own interface; null where there is none to link to."""


class OperationForm(BriefOperation):
    """One durable change."""

    model_config = ConfigDict(title="Operation")

    project: str
    deployment_id: str
    deployment_name: str
    instance_names: list[str]
    blueprint: str
    provider: str
    changed: bool
    attempt: int
    retry_of: str | None
    pre_empted_by: str | None
    forced: bool
    parked_until: datetime | None
    reason: str | None
    source: str
    error: OperationError | None
    steps: list[Step]
    workflow_id: str
    run_id: str | None
    temporal_url: str | None
    trace_id: str | None
    finished_at: datetime | None


class OperationList(Form):
    """A page, those that need somebody first."""

    items: list[OperationForm]
    counts: dict[str, int]
    next_page_token: str | None = None

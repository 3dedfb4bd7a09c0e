"""What Plan decides, as the records keep it and a run reads it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class PlannedStep:
    """One instance's part in a phase. Ids and numbers only: it travels through Temporal."""

    instance_id: str
    name: str
    verb: str
    queue: str
    attempt_seconds: float
    total_seconds: float
    attempts: int


@dataclass(frozen=True)
class Plan:
    """What a run needs to act. Stored with the operation, so that a repeat of Plan returns it."""

    operation_id: str
    kind: str
    deployment: str
    park_seconds: float
    phases: tuple[tuple[PlannedStep, ...], ...]
    rolling: bool

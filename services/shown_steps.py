"""The steps of an operation as people see them, written by Plan."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import insert

from db.models import OperationStep
from db.session import Tx
from domain.databases import DatabaseStep
from domain.lifecycle import Operation
from domain.operations import StepStatus
from domain.planned import PlannedStep

_DOING: dict[str, str] = {
    Operation.CREATE: "Create",
    Operation.MODIFY: "Change",
    Operation.START: "Start",
    Operation.STOP: "Stop",
    Operation.RESTART: "Restart",
    Operation.DELETE: "Remove",
    DatabaseStep.ALLOCATE: "Allocate the database of",
    DatabaseStep.RELEASE: "Release the database of",
}
_CHECK = "Check the database of"
"""To allocate, where everything was made before: its server is brought up, and a new password told to it."""


def write_steps(tx: Tx, operation_id: str, phases: Sequence[Sequence[PlannedStep]]) -> None:
    """The steps that people see, in order, all but Plan itself still pending."""
    fresh: dict[str, Any] = {"message": None, "attempts": []}
    rows: list[dict[str, Any]] = [
        {"name": "plan", "title": "Plan", "instance_id": None, "status": StepStatus.DONE, **fresh}
    ]
    makes = any(step.verb == Operation.CREATE for phase in phases for step in phase)
    for phase in phases:
        for step in phase:
            doing = _DOING[step.verb] if step.verb != DatabaseStep.ALLOCATE or makes else _CHECK
            title = f"{doing} {step.name}"
            rows.append(
                {
                    "name": step.verb,
                    "title": title,
                    "instance_id": step.instance_id,
                    "status": StepStatus.PENDING,
                    **fresh,
                }
            )
    rows.append({"name": "finish", "title": "Finish", "instance_id": None, "status": StepStatus.PENDING, **fresh})
    tx.run(
        insert(OperationStep),
        [{"operation_id": operation_id, "position": n, **row} for n, row in enumerate(rows)],
    )

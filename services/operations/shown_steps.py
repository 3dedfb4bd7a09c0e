"""The steps of an operation as people see them, written by Plan."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import case, func, insert, update
from sqlalchemy.dialects.postgresql import JSONB

from db.models import OperationRow, OperationStep
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
    Operation.SUSPEND: "Suspend",
    Operation.UNSUSPEND: "Unsuspend",
    Operation.DELETE: "Remove",
    DatabaseStep.ALLOCATE: "Allocate the database of",
    DatabaseStep.RELEASE: "Release the database of",
}
_CHECK = "Check the database of"
"""To allocate, where everything was made before: its server is brought up, and a new password told to it."""


FINISH = "finish"


def write_steps(
    tx: Tx, operation_id: str, phases: Sequence[Sequence[PlannedStep]], planned: tuple[datetime, datetime]
) -> None:
    """The steps that people see, in order, all but Plan itself still pending. `planned`: its begin and end."""
    fresh: dict[str, Any] = {"message": None, "attempts": []}
    begin, end = planned
    attempt = {"started_at": min(begin, end).isoformat(), "ended_at": end.isoformat()}
    rows: list[dict[str, Any]] = [
        {
            **fresh,
            "name": "plan",
            "title": "Plan",
            "instance_id": None,
            "status": StepStatus.DONE,
            "attempts": [attempt],
        }
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
    rows.append({"name": FINISH, "title": "Finish", "instance_id": None, "status": StepStatus.PENDING, **fresh})
    tx.run(
        insert(OperationStep),
        [{"operation_id": operation_id, "position": n, **row} for n, row in enumerate(rows)],
    )


def close_steps(tx: Tx, operation: OperationRow, *, succeeded: bool) -> None:
    """No step stays pending or running after the end; Finish itself is done in this transaction."""
    began_and_ended = func.jsonb_build_array(
        func.jsonb_build_object(
            "started_at", _as_stored(func.least(func.now(), tx.now)), "ended_at", _as_stored(tx.now)
        ),
        type_=JSONB,
    )
    tx.run(
        update(OperationStep)
        .where(
            OperationStep.operation_id == operation.id,
            OperationStep.status.in_([StepStatus.PENDING, StepStatus.RUNNING]),
        )
        .values(
            status=case((OperationStep.name == FINISH, StepStatus.DONE), else_=_rest(succeeded)),
            message=None,
            attempts=case((OperationStep.name == FINISH, began_and_ended), else_=OperationStep.attempts),
        )
    )


def _rest(succeeded: bool) -> StepStatus:
    return StepStatus.DONE if succeeded else StepStatus.SKIPPED


def _as_stored(time: Any) -> Any:
    """As `datetime.isoformat` writes it: attempts are stored in that form."""
    return func.to_char(func.timezone("UTC", time), 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"')

"""An operation as people see it: progress, steps, error with help, usual durations, when it is late."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row
from sqlalchemy.orm import Session

from db.queries import operations as queries
from domain.operations import OperationStatus, StepStatus
from services.views.common import JsonObject, TemporalLinks, error_form, iso
from services.views.usual import Usual, UsualTimes
from system.tracing import ids_in

_PAST = frozenset({StepStatus.DONE, StepStatus.SKIPPED, StepStatus.FAILED})


@dataclass(frozen=True)
class Briefs:
    """What an instance or a deployment shows of the operation that works on it."""

    steps: Mapping[str, Sequence[Row[Any]]]
    usual: Mapping[str, Usual | None]
    now: datetime

    def of(self, row: Row[Any], instance_id: str | None = None) -> JsonObject:
        """The form of one operation; of several steps under way it tells the instance's own."""
        return brief(row, self.steps.get(row.id, ()), self.usual.get(row.id), self.now, instance_id)


@dataclass(frozen=True)
class OperationForms:
    """What turns rows into forms. Built once by the API."""

    links: TemporalLinks
    usual: UsualTimes

    def many(self, session: Session, rows: Sequence[Row[Any]], now: datetime) -> list[JsonObject]:
        """The forms of some rows, with three queries in all (and the cached usual times)."""
        ids = [row.id for row in rows]
        steps = queries.steps(session, ids)
        names = queries.names(session, ids)
        return [
            self._form(row, steps.get(row.id, []), names.get(row.id, []), self.usual.of(session, row), now)
            for row in rows
        ]

    def one(self, session: Session, row: Row[Any], now: datetime) -> JsonObject:
        """The form of one row."""
        return self.many(session, [row], now)[0]

    def briefs_in(self, session: Session, rows: Iterable[Row[Any]], now: datetime) -> Briefs:
        """Read what the brief forms of some unfinished operations need, with one query (and the usual times)."""
        every = list(rows)
        steps = queries.step_states(session, [row.id for row in every])
        return Briefs(steps, {row.id: self.usual.of(session, row) for row in every}, now)

    def _form(
        self, row: Row[Any], steps: Sequence[Row[Any]], names: list[str], usual: Usual | None, now: datetime
    ) -> JsonObject:
        return {
            **brief(row, steps, usual, now),
            "project": row.project,
            "deployment_id": row.deployment_id,
            "deployment_name": row.deployment_name,
            "instance_names": names,
            "blueprint": row.blueprint,
            "provider": row.provider,
            "changed": row.changed,
            "attempt": row.attempt,
            "retry_of": row.retry_of,
            "pre_empted_by": row.pre_empted_by,
            "forced": row.forced,
            "parked_until": iso(row.parked_until),
            "reason": row.reason,
            "source": row.source,
            "error": error_form(row.error, self._failing_url(row)),
            "steps": [_step(step, usual) for step in steps],
            "workflow_id": row.workflow_id,
            "run_id": row.run_id,
            "temporal_url": self.links.run(row.workflow_id, row.run_id) if row.run_id else None,
            "trace_id": ids_in(row.traceparent)[0],
            "finished_at": iso(row.finished_at),
        }

    def _failing_url(self, row: Row[Any]) -> str | None:
        """The failing event itself, where it is known; else the run."""
        if row.error is None or not row.run_id:
            return None
        event_id = row.error.get("event_id")
        if event_id is None:
            return self.links.run(row.workflow_id, row.run_id)
        return self.links.event(row.workflow_id, row.run_id, event_id)


def brief(
    row: Row[Any],
    steps: Sequence[Row[Any]],
    usual: Usual | None,
    now: datetime,
    instance_id: str | None = None,
) -> JsonObject:
    """What every form of an operation has."""
    return {
        "id": row.id,
        "kind": row.kind.value,
        "status": row.status.value,
        "phase": row.phase,
        "done": row.status.done,
        "needs_you": _needs_you(row, now),
        "instance_ids": list(row.instance_ids),
        "cancel_requested": row.cancel_requested_at is not None,
        "actor": row.actor,
        "created_at": iso(row.created_at),
        "started_at": iso(row.started_at),
        "slow_at": iso(row.slow_at),
        "stuck_at": iso(row.deadline_at),
        "progress": _progress(row, steps, instance_id),
        "usual": usual.total if usual else None,
        "href": href(row.id),
    }


def href(operation_id: str) -> str:
    """Where an operation is read."""
    return f"/api/v1/operations/{operation_id}"


def _needs_you(row: Row[Any], now: datetime) -> bool:
    overdue = not row.status.done and row.deadline_at is not None and row.deadline_at < now
    return overdue or (row.parked_until is not None and row.parked_until > now)


def _progress(row: Row[Any], steps: Sequence[Row[Any]], instance_id: str | None = None) -> JsonObject:
    """`step` is the number of steps behind us, the one under way included."""
    behind = sum(step.status in _PAST for step in steps)
    running = [step for step in steps if step.status is StepStatus.RUNNING]
    current = next((step for step in running if step.instance_id == instance_id), running[0] if running else None)
    message = (current.message or current.title) if current else None
    if row.status is OperationStatus.PENDING:
        message = "waiting to begin"
    return {"step": behind + (current is not None), "total": len(steps), "message": message}


def _step(step: Row[Any], usual: Usual | None) -> JsonObject:
    form: JsonObject = {
        "name": step.name,
        "title": step.title,
        "instance_id": step.instance_id,
        "status": step.status.value,
        "message": step.message,
        "attempts": step.attempts,
    }
    times = usual.steps.get(step.name) if usual else None
    return {**form, "usual": times} if times else form

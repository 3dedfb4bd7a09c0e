"""What a look at an instance may write: the observation table's verdict and its health, by one compare-and-set.

The version was read before the look; acceptance and every other write raise it, so a late look changes nothing.
Nor does the look of an observer whose scope another has taken: that condition stands in the same statement.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, exists, select, update

from db.models import Deployment, Instance, OperationRow
from db.session import Tx
from domain.health import Pulse, evidence_of
from domain.lifecycle import IN_PROGRESS, Health, Status
from domain.observations import Verdict, decide, drift_after
from domain.operations import UNFINISHED, ErrorOrigin, RestartPolicy, Source
from domain.work import Observation, Seen
from services.watching.observers import Lease, holds, of_spot


def is_busy() -> ColumnElement[bool]:
    """Whether an operation of the instance's deployment is not finished."""
    return exists().where(
        OperationRow.deployment_id == Instance.deployment_id, OperationRow.status.in_(UNFINISHED)
    )


_ACTOR = "berth"
"""Whom the history names for what a look has shown."""


@dataclass(frozen=True)
class Watched:
    """An instance as read before the look."""

    id: str
    name: str
    deployment_id: str
    project: str
    provider: str
    status: Status
    origin: ErrorOrigin | None
    busy: bool
    version: int
    health: Health
    drift: str | None
    policy: RestartPolicy
    restarts: int
    terminating: bool
    quiet_seconds: float

    @property
    def may_restart(self) -> bool:
        """Whether its policy could ask for a start: it runs, or stopped without being asked to."""
        return (
            self.policy is not RestartPolicy.NEVER
            and not self.terminating
            and (self.status is Status.RUNNING or self.origin is ErrorOrigin.MONITOR or self.restarts > 0)
        )


@dataclass(frozen=True)
class Look:
    """What was found. `complaint`: what a probe of something that is up found wrong."""

    observation: Observation
    complaint: str | None = None

    @property
    def seen(self) -> Seen:
        return self.observation.seen


@dataclass(frozen=True)
class Written:
    """What became of a look. `stood`: False where another write, or another observer, came first."""

    status: Status
    pulse: Pulse
    verdict: Verdict
    stood: bool = True
    version: int | None = None
    drift: str | None = None
    origin: ErrorOrigin | None = None
    told: str | None = None
    """The type of the event that it is told by; None: nothing changed."""


def watched(tx: Tx, row: Instance) -> Watched:
    """The facts of a row that a look's verdict needs, as of now."""
    beside = select(Deployment.restart_policy, is_busy().label("busy"), tx.now.label("now")).join(
        Instance, Instance.deployment_id == Deployment.id
    )
    found = tx.session.execute(beside.where(Instance.id == row.id)).one()
    now: datetime = found.now
    return Watched(
        id=row.id,
        name=row.name,
        deployment_id=row.deployment_id,
        project=row.project,
        provider=row.provider,
        status=row.status,
        origin=row.error_origin,
        busy=found.busy or row.status in IN_PROGRESS,
        version=row.version,
        health=row.health,
        drift=row.drift,
        policy=found.restart_policy,
        restarts=row.restarts,
        terminating=row.termination_requested_at is not None,
        quiet_seconds=(now - row.updated_at).total_seconds(),
    )


def note_look(tx: Tx, lease: Lease, before: Watched, pulse: Pulse, look: Look) -> Written:
    """Write what the table and the pulse make of `look`: one statement, and one event where something changed."""
    verdict = decide(before.status, before.origin, look.seen, busy=before.busy)
    status = verdict.status or before.status
    evidence = None if before.busy else evidence_of(status, look.seen, look.observation.detail, look.complaint)
    beat = pulse if evidence is None else pulse.after(evidence)
    drift = before.drift if before.busy else drift_after(verdict, look.seen, before.drift)
    told = _event(before, verdict, beat, drift)
    values: dict[str, Any] = {} if evidence is None else {"health_checked_at": tx.now}
    if told is not None:
        reason = evidence.reason if evidence is not None and evidence.towards is beat.health else None
        values |= _changes(tx, before, verdict, look) | {
            "health": beat.health,
            "health_reason": reason,
            "drift": drift,
            "provider_state": look.observation.provider_state,
            "version": Instance.version + 1,
            "updated_at": tx.now,
        }
    if not values:
        return Written(status, beat, verdict)
    where = (Instance.id == before.id, Instance.version == before.version, of_spot(lease.spot), holds(lease))
    row = tx.run(
        update(Instance).where(*where).values(**values).returning(Instance.version, Instance.cloud_instance_id)
    ).one_or_none()
    if row is None:
        return Written(before.status, pulse, verdict, stood=False)
    if told is not None:
        _tell(tx, before, told, status, look, beat, row)
    monitors = verdict.status is Status.ERROR
    origin = ErrorOrigin.MONITOR if monitors else before.origin if verdict.status is None else None
    return Written(status, beat, verdict, version=row.version, drift=drift, origin=origin, told=told)


def _event(before: Watched, verdict: Verdict, beat: Pulse, drift: str | None) -> str | None:
    """What changed most, in one word: each write is told once."""
    if verdict.status is not None:
        return "OBSERVED"
    if drift != before.drift:
        if drift is None:
            return "DRIFT_OVER"
        return "SUSPENDED_RUNNING" if verdict.stop_again else "DRIFT"
    return None if beat.health is before.health else "HEALTH_CHANGED"


def _changes(tx: Tx, before: Watched, verdict: Verdict, look: Look) -> dict[str, Any]:
    if verdict.status is None:
        return {}
    error: dict[str, Any] = {"error_code": None, "error_message": None, "error_origin": None}
    if verdict.status is Status.ERROR:
        found = look.observation
        error = {
            "error_code": found.seen.value,
            "error_message": f"{before.name} is {found.provider_state} at its provider"
            + (f": {found.detail}" if found.detail else ""),
            "error_origin": ErrorOrigin.MONITOR,
        }
    return {"status": verdict.status, "changed_by": _ACTOR, "changed_at": tx.now, **error}


def _tell(tx: Tx, before: Watched, told: str, status: Status, look: Look, beat: Pulse, row: Any) -> None:
    found = look.observation
    tx.emit(
        project=before.project,
        event_type=told,
        instance_id=before.id,
        deployment_id=before.deployment_id,
        operation_id=None,
        version=row.version,
        status=status,
        from_status=before.status,
        to_status=status,
        source=Source.MONITOR,
        reason=None,
        confirmation_method=None,
        actor=_ACTOR,
        cloud_instance_id=row.cloud_instance_id,
        data={
            "name": before.name,
            "seen": look.seen.value,
            "provider_state": found.provider_state,
            "detail": found.detail or look.complaint,
            "health": beat.health.value,
            "health_before": before.health.value,
        },
    )

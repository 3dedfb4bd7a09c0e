"""What a look at a settled instance may write: the observation table's verdict, by compare-and-set on the version.

The version was read before the look; acceptance and every other write raise it, so a late look changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, or_, select, update

from db.models import Deployment, Instance
from db.session import Tx
from domain.lifecycle import Operation, Status
from domain.limits import MAX_POLICY_RESTARTS
from domain.observations import decide
from domain.operations import ErrorOrigin, Reason, RestartPolicy, Source
from domain.specs import Ask, Caller
from domain.work import Observation, Seen
from services.requests import act

_LOOKS_PER_ROUND = 200
_STABLE_SECONDS = 600.0
_FIRST_DELAY_SECONDS = 1.0


@dataclass(frozen=True)
class Watched:
    """An instance under a restart policy, as read before the look."""

    id: str
    name: str
    deployment_id: str
    project: str
    provider: str
    host_id: str | None
    status: Status
    origin: ErrorOrigin | None
    policy: RestartPolicy
    restarts: int
    version: int
    quiet_seconds: float


def under_policy(tx: Tx) -> list[Watched]:
    """Settled instances whose policy may ask for a start, those that wait longest first."""
    rows = tx.session.execute(
        select(Instance, Deployment.restart_policy, tx.now.label("now"))
        .join(Deployment, Deployment.id == Instance.deployment_id)
        .where(
            Deployment.restart_policy != RestartPolicy.NEVER,
            Instance.termination_requested_at.is_(None),
            or_(
                Instance.status == Status.RUNNING,
                Instance.error_origin == ErrorOrigin.MONITOR,
                Instance.restarts > 0,
            ),
        )
        .order_by(Instance.updated_at)
        .limit(_LOOKS_PER_ROUND)
    )
    return [_watched(row.Instance, row.restart_policy, row.now) for row in rows]


def _watched(row: Instance, policy: RestartPolicy, now: datetime) -> Watched:
    return Watched(
        row.id,
        row.name,
        row.deployment_id,
        row.project,
        row.provider,
        row.host_id,
        row.status,
        row.error_origin,
        policy,
        row.restarts,
        row.version,
        (now - row.updated_at).total_seconds(),
    )


def note_observation(tx: Tx, watched: Watched, look: Observation) -> Status | None:
    """Write what the table says of `look`; returns the new status, None when nothing was written."""
    verdict = decide(watched.status, watched.origin, look.seen)
    if verdict.status is None:
        return None
    error: dict[str, Any] = {"error_code": None, "error_message": None, "error_origin": None}
    if verdict.status is Status.ERROR:
        error = {
            "error_code": look.seen.value,
            "error_message": f"{watched.name} is {look.provider_state} at its provider"
            + (f": {look.detail}" if look.detail else ""),
            "error_origin": ErrorOrigin.MONITOR,
        }
    row = tx.session.execute(
        update(Instance)
        .where(Instance.id == watched.id, Instance.version == watched.version)
        .values(
            status=verdict.status,
            provider_state=look.provider_state,
            version=Instance.version + 1,
            updated_at=tx.now,
            **error,
        )
        .returning(Instance.version, Instance.cloud_instance_id)
    ).one_or_none()
    if row is None:
        return None
    tx.emit(
        project=watched.project,
        event_type="OBSERVED",
        instance_id=watched.id,
        deployment_id=watched.deployment_id,
        operation_id=None,
        version=row.version,
        status=verdict.status,
        from_status=watched.status,
        to_status=verdict.status,
        source=Source.MONITOR,
        reason=None,
        confirmation_method=None,
        actor="berth",
        cloud_instance_id=row.cloud_instance_id,
        data={"seen": look.seen.value, "detail": look.detail},
    )
    return verdict.status


def wants_start(watched: Watched, status: Status, look: Observation) -> bool:
    """Whether the policy asks for a start now: back-off doubles, at most so many in a row."""
    if status not in {Status.STOPPED, Status.ERROR} or look.seen in {Seen.UP, Seen.ABSENT, Seen.FOREIGN}:
        return False
    if look.seen in {Seen.NO_EVIDENCE, Seen.TRANSIENT}:
        return False
    rebooted = "reboot" in (look.detail or "")
    if watched.policy is RestartPolicy.ON_FAILURE and look.seen is Seen.DOWN and not rebooted:
        return watched.restarts > 0 and watched.status is Status.ERROR
    if watched.status is Status.RUNNING and watched.quiet_seconds > _STABLE_SECONDS:
        return True
    delay = _FIRST_DELAY_SECONDS * 2**watched.restarts if watched.restarts else 0.0
    return watched.restarts < MAX_POLICY_RESTARTS and watched.quiet_seconds >= delay


def start_by_policy(tx: Tx, watched: Watched) -> None:
    """An ordinary start operation, asked by Berth itself."""
    stable = watched.status is Status.RUNNING and watched.quiet_seconds > _STABLE_SECONDS
    count = 1 if stable else func.coalesce(Instance.restarts, 0) + 1
    caller = Caller("berth", watched.project, Source.BERTH)
    act(tx, Ask(caller, Reason.RESTART_POLICY), Operation.START, watched.deployment_id, watched.id)
    tx.session.execute(update(Instance).where(Instance.id == watched.id).values(restarts=count))

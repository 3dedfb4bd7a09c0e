"""The restart policy: what stopped without being asked to is started again, by an ordinary start operation.

Called by the monitor after each look at an instance that has a policy.
"""

from __future__ import annotations

from sqlalchemy import func, update

from db.models import Instance
from db.session import Tx
from domain.lifecycle import Operation, Status
from domain.limits import MAX_POLICY_RESTARTS
from domain.operations import Reason, RestartPolicy, Source
from domain.specs import Accepted, Ask, Caller
from domain.work import Observation, Seen
from services.requests.changes import act
from services.watching.looks import Watched

_STABLE_SECONDS = 600.0
_FIRST_DELAY_SECONDS = 1.0


def wants_start(before: Watched, status: Status, look: Observation) -> bool:
    """Whether the policy asks for a start now: back-off doubles, at most so many in a row."""
    if not before.may_restart or before.busy or status not in {Status.STOPPED, Status.ERROR}:
        return False
    if look.seen not in {Seen.DOWN, Seen.CRASHED}:
        return False
    rebooted = "reboot" in (look.detail or "")
    if before.policy is RestartPolicy.ON_FAILURE and look.seen is Seen.DOWN and not rebooted:
        return before.restarts > 0 and before.status is Status.ERROR
    if before.status is Status.RUNNING and before.quiet_seconds > _STABLE_SECONDS:
        return True
    delay = _FIRST_DELAY_SECONDS * 2**before.restarts if before.restarts else 0.0
    return before.restarts < MAX_POLICY_RESTARTS and before.quiet_seconds >= delay


def may_want_later(before: Watched, status: Status) -> bool:
    """Whether its back-off may only not be over yet."""
    return (
        before.may_restart and status in {Status.STOPPED, Status.ERROR} and before.restarts < MAX_POLICY_RESTARTS
    )


def start_by_policy(tx: Tx, before: Watched) -> Accepted:
    """An ordinary start operation, asked by Berth itself. Raises `Refused`."""
    stable = before.status is Status.RUNNING and before.quiet_seconds > _STABLE_SECONDS
    count = 1 if stable else func.coalesce(Instance.restarts, 0) + 1
    caller = Caller("berth", before.project, Source.BERTH)
    accepted = act(tx, Ask(caller, Reason.RESTART_POLICY), Operation.START, before.deployment_id, before.id)
    tx.session.execute(update(Instance).where(Instance.id == before.id).values(restarts=count))
    return accepted

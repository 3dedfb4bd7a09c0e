"""What bounds a request, decided where it is accepted: the right to ask, room on the disk, rates, limits.

`admit` runs in the transaction that writes the operation, after its rows and before its commit. Where a limit is
set, one advisory lock a project makes the counting orderly: whoever holds it sees all that was accepted before.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Float, cast, func, select

from db.models import Deployment, Instance, OperationRow, ProjectLimits
from db.session import Tx
from domain.access import AccessRole
from domain.bounds import UNLIMITED, Bounds, Excess, Limits, excess
from domain.errors import FieldError, Forbidden, InvalidInput, Refused, Unavailable
from domain.lifecycle import MOVES, Actor, Operation
from domain.operations import UNFINISHED
from domain.specs import Ask
from services.access.rates import Policy, RateLimited, take

_TAKES_AWAY = frozenset({Operation.DELETE, Operation.STOP, Operation.FORGET, Operation.SUSPEND})
"""Never refused for want of room, and deletes not for any limit: they are the way out."""
_RESOURCES = ("cpu", "memory_mb", "disk_gb")
ADMINS_ALONE = frozenset(row.operation for row in MOVES if row.actor is Actor.ADMIN)
_GROWS = frozenset({Operation.CREATE, Operation.MODIFY})
Sizes = dict[str, float]


class LimitReached(Refused):
    """The project has as much as it may have."""

    code = "limit-reached"

    def __init__(self, project: str, broken: Excess) -> None:
        super().__init__(
            f"Project {project} may have {broken.allowed:g} {broken.name.replace('_', ' ')} at once: "
            f"it has {broken.used:g}, and {broken.asked:g} more were asked for."
        )
        self.broken = broken


class TooManyUnfinished(LimitReached):
    """As many operations are under way as may be; it passes by itself."""

    retry_after = 5


class NoRoom(Unavailable):
    """The disk is nearly full."""

    code = "no-room"
    retry_after = 30


def admit(tx: Tx, ask: Ask, deployment: Deployment, kind: Operation) -> None:
    """Raise `Forbidden`, `NoRoom`, `RateLimited`, `LimitReached` or `InvalidInput` when `ask` may not have it."""
    _check_role(ask, kind)
    bounds = ask.bounds
    if bounds is None or kind is Operation.DELETE:
        return
    if bounds.no_room is not None and kind not in _TAKES_AWAY:
        raise NoRoom(bounds.no_room)
    _check_rate(tx, ask, bounds, deployment.id, kind)
    _check_limits(tx, bounds, deployment, kind)


def _check_role(ask: Ask, kind: Operation) -> None:
    """The table of moves says who may ask for what."""
    if ask.caller.role is not AccessRole.ADMIN and kind in ADMINS_ALONE:
        raise Forbidden(f"The role {ask.caller.role} may not {kind}; it needs: admin.")


def _check_rate(tx: Tx, ask: Ask, bounds: Bounds, deployment_id: str, kind: Operation) -> None:
    if not bounds.actions:
        return
    policy = Policy("action", bounds.actions)
    who = ask.caller.credential or ask.caller.name
    grant = take(tx, f"action/{who}/{deployment_id}/{kind}", policy)
    if grant.granted < 1:
        raise RateLimited(policy, f"{kind} of one deployment", policy.seconds_for(1 - grant.left))


def _check_limits(tx: Tx, bounds: Bounds, deployment: Deployment, kind: Operation) -> None:
    project = deployment.project
    limits = effective(tx.session, project, bounds.limits)
    wanted = {name for name, allowed in limits.items() if allowed != UNLIMITED} - {"sockets"}
    if not wanted:
        return
    tx.session.flush()
    tx.run(select(func.pg_advisory_xact_lock(func.hashtextextended(f"limits/{project}", 0))))
    if "unfinished_operations" in wanted:
        under_way = _count_unfinished(tx, project) + 1
        broken = excess(
            {"unfinished_operations": limits["unfinished_operations"]},
            {"unfinished_operations": under_way},
            {"unfinished_operations": 1},
        )
        if broken is not None:
            raise TooManyUnfinished(project, broken)
    if kind in _GROWS and wanted != {"unfinished_operations"}:
        sizes = {name: limits[name] for name in ("instances", *_RESOURCES)}
        asked = _asked(tx, deployment)
        if asked["instances"] > 0:
            _check_named(project, deployment, wanted)
        broken = excess(sizes, used(tx.session, project), asked)
        if broken is not None:
            raise LimitReached(project, broken)


def _check_named(project: str, deployment: Deployment, bounded: set[str]) -> None:
    """What names no size would count as nothing, and take as much as it likes."""
    why = f"must be named, for it is limited in project {project}"
    unnamed = [n for n in _RESOURCES if n in bounded and deployment.resources.get(n) is None]
    if unnamed:
        raise InvalidInput(*(FieldError(f"/resources/{name}", why) for name in unnamed))


def effective(session: Any, project: str, installation: Limits) -> Sizes:
    """The limits that count for a project."""
    own = session.get(ProjectLimits, project)
    found = {name: getattr(own, name) if own is not None else None for name in Limits.names()}
    return {n: getattr(installation, n) if value is None else value for n, value in found.items()}


def _count_unfinished(tx: Tx, project: str) -> int:
    query = select(func.count()).where(OperationRow.project == project, OperationRow.status.in_(UNFINISHED))
    return int(tx.run(query).scalar_one())


def used(session: Any, project: str) -> Sizes:
    """What a project has now: instances, and what their deployments ask for."""
    sums = [func.coalesce(func.sum(_number(Deployment.resources, n) * Deployment.members), 0) for n in _RESOURCES]
    row = session.execute(select(*sums).where(Deployment.project == project)).one()
    living = session.scalar(select(func.count()).select_from(Instance).where(Instance.project == project))
    return {"instances": living or 0, **dict(zip(_RESOURCES, row, strict=True))}


def _asked(tx: Tx, deployment: Deployment) -> Sizes:
    """How much more the deployment is to have than what has reached its instances."""
    applied = [
        func.coalesce(func.sum(_number(Instance.applied_spec["resources"], name)), 0) for name in _RESOURCES
    ]
    made = func.count().filter(Instance.applied_spec.is_not(None))
    query = select(func.count(), made, *applied).where(Instance.deployment_id == deployment.id)
    living, known, *sizes = tuple(tx.run(query).one())
    wanted = [float(deployment.resources.get(name) or 0) * deployment.members for name in _RESOURCES]
    more = {n: wish - had for n, wish, had in zip(_RESOURCES, wanted, sizes, strict=True)}
    return {"instances": living - known, **more}


def _number(column: Any, name: str) -> Any:
    return func.coalesce(cast(column[name].astext, Float), 0)

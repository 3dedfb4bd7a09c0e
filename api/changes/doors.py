"""Which door an operation on one instance goes through, and the refusal in words before it.

Called by `api.changes.commands`, inside its transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from sqlalchemy import Row

from api.access import require
from api.parts import Parts
from db.session import Tx
from domain.access import Right
from domain.actions import CANCEL, HOST_SILENT, PROTECTED, Situation, actions, enabled, why_not, why_not_forced
from domain.errors import HostUnavailable, OnHold, OperationInProgress, OperationNotAllowed, Protected
from domain.holds import HoldCause, why_held
from domain.lifecycle import MOVES, Actor, Operation, Status
from domain.operations import AVAILABLE
from domain.specs import Accepted, Ask, Caller
from services.operations.holds import Suspension
from services.requests import changes, maintenance, suspension, withdrawals
from services.requests.action_params import Terms
from services.requests.edits import Edit, edit_instance, retry_instance
from services.requests.force import stop_by_force
from services.requests.forgetting import forget
from services.requests.older_forms import retry_at_once

SIMPLE = frozenset({Operation.START, Operation.STOP, Operation.RESTART})
_FOR_ADMINISTRATORS = frozenset(move.operation for move in MOVES if move.actor is Actor.ADMIN)
_BY_DEFAULT = Suspension(HoldCause.ADMIN)


@dataclass(frozen=True)
class Wish:
    """What is asked of one instance or deployment. `versions` as in `services.requests.edits.Edit`."""

    operation: Operation | None
    """None: cancel what is in progress."""
    patch: Mapping[str, Any] | None = None
    versions: frozenset[int] | None = None
    force: bool = False
    """Pre-empt what is stuck; for a delete also: forget what a lost host holds."""
    seen: Status | None = None
    """What a look at the provider showed just now, for the end of maintenance."""
    at_once: bool = False
    """For a retry: what has to be made shows `creating` before it is planned."""
    terms: Terms = field(default_factory=Terms)
    """What the action's parameters say."""

    @property
    def suspension(self) -> Suspension:
        """An administrator's, on the terms given."""
        return self.terms.suspension or _BY_DEFAULT


def check_actor(caller: Caller, operation: Operation | None) -> None:
    """What the table leaves to administrators needs that right. Raises `Forbidden`."""
    if operation in _FOR_ADMINISTRATORS:
        require(caller, Right.ADMIN)


def instance_door(parts: Parts, tx: Tx, ask: Ask, row: Row[Any], at: Situation, wish: Wish) -> Accepted:
    """Accept `wish` for this instance, or refuse it as `allowed_actions` says."""
    operation = wish.operation
    check_actor(ask.caller, operation)
    if operation is None:
        return _cancel(tx, ask, at)
    force = wish.force or wish.terms.force
    if operation is Operation.STOP and force and at.holder is not None:
        _explain_forced(at, operation)
        return stop_by_force(tx, ask, row.deployment_id, row.id)
    _explain(at, operation)
    doors: dict[Operation, Callable[[], Accepted]] = {
        **{simple: partial(changes.act, tx, ask, simple, row.deployment_id, row.id) for simple in SIMPLE},
        Operation.MODIFY: lambda: edit_instance(
            tx, ask, row.id, Edit(wish.patch or {}, wish.versions), parts.means
        ),
        Operation.DELETE: lambda: (
            forget(tx, ask, row.id, host_lost=True)
            if force and at.host_lost
            else withdrawals.delete(tx, ask, row.deployment_id, row.id, force=force)
        ),
        Operation.RETRY: lambda: (retry_at_once if wish.at_once else retry_instance)(tx, ask, row.id),
        Operation.SUSPEND: lambda: suspension.suspend(tx, ask, row.deployment_id, wish.suspension),
        Operation.UNSUSPEND: lambda: suspension.unsuspend(tx, ask, row.deployment_id, HoldCause.ADMIN),
        Operation.MAINTENANCE_ON: lambda: maintenance.begin(tx, ask, row.id, wish.terms.window),
        Operation.MAINTENANCE_OFF: lambda: maintenance.end(tx, ask, row.id, seen=wish.seen),
        Operation.FORGET: lambda: forget(tx, ask, row.id, host_lost=at.host_lost),
    }
    return doors[operation]()


def _explain_forced(at: Situation, operation: Operation) -> None:
    reason = why_not_forced(at, operation)
    if reason is not None:
        name = f"force_{operation}"
        raise OperationNotAllowed(name, at.status.value, enabled(at), f"{name} is refused: {reason}")


def _explain(at: Situation, operation: Operation) -> None:
    """Refuse with the words that `allowed_actions` shows. A repeated delete is left to its door."""
    reason = why_not(at, operation)
    waits = at.holder is not None and reason != PROTECTED
    if reason is None or (operation is Operation.DELETE and waits):
        return
    if at.holder is not None and waits and operation in AVAILABLE and operation is not Operation.CREATE:
        raise OperationInProgress(at.holder.id, at.holder.kind.value)
    if reason == HOST_SILENT:
        raise HostUnavailable(f"{operation} is refused: {reason}.")
    kinds = {PROTECTED: Protected, why_held(at.holds): OnHold}
    kind = kinds.get(reason, OperationNotAllowed)
    raise kind(operation.value, at.status.value, enabled(at), f"{operation} is refused: {reason}")


def _cancel(tx: Tx, ask: Ask, at: Situation) -> Accepted:
    row = next(a for a in actions(at) if a.action == CANCEL)
    if at.holder is None or not row.enabled:
        raise OperationNotAllowed(CANCEL, at.status.value, enabled(at), f"cancel is refused: {row.reason}")
    operation = withdrawals.cancel(tx, ask, at.holder.id)
    return Accepted(operation.id, operation.deployment_id)

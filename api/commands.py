"""From an action's name to its door, in one transaction: look up, explain a refusal, accept.

Used by the action routes, the batch, PATCH, DELETE and the legacy forms.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from sqlalchemy import Row

from api.dependencies import now
from api.parts import Parts
from api.reading import find_deployment, find_instance, find_operation
from api.transactions import commit
from db.queries import operations
from db.session import Tx
from domain.actions import CANCEL, HOST_SILENT, Situation, actions, enabled, why_not
from domain.errors import (
    FieldError,
    HostUnavailable,
    InvalidInput,
    OperationInProgress,
    OperationNotAllowed,
)
from domain.lifecycle import Operation, Status
from domain.operations import AVAILABLE, OPERATION_DETAILS, Reason
from domain.specs import Accepted, Ask
from services import catalog, repeats, requests, withdrawals
from services.acceptance import replayed
from services.admin_changes import forget, maintenance
from services.edits import Edit, edit_deployment, edit_instance, retry_instance
from services.older_forms import retry_at_once
from services.views.instances import situation, surroundings

_SIMPLE = frozenset({Operation.START, Operation.STOP, Operation.RESTART})
_BY_SYNONYM = ((Operation.START, OPERATION_DETAILS[Operation.START]), *OPERATION_DETAILS.items())
"""To launch what exists is to start it."""
_OF_DEPLOYMENTS = _SIMPLE | {Operation.MODIFY, Operation.DELETE}


@dataclass(frozen=True)
class Wish:
    """What is asked of one instance or deployment. `versions` as in `services.edits.Edit`."""

    operation: Operation | None
    """None: cancel what is in progress."""
    patch: Mapping[str, Any] | None = None
    versions: frozenset[int] | None = None
    force: bool = False
    """For a delete: forget what a lost host holds."""
    seen: Status | None = None
    """What a look at the provider showed just now, for the end of maintenance."""
    at_once: bool = False
    """For a retry: what has to be made shows `creating` before it is planned."""


def operation_named(action: str) -> Operation | None:
    """The operation behind a name or a synonym; None for `cancel`. Raises `InvalidInput`."""
    if action == CANCEL:
        return None
    if action in set(Operation):
        return Operation(action)
    for operation, details in _BY_SYNONYM:
        if action in details.synonyms:
            return operation
    known = ", ".join([*(o.value for o in Operation), CANCEL])
    raise InvalidInput(FieldError("/action", f"there is no such action; known: {known}"))


def with_reason(ask: Ask, reason: Reason | None) -> Ask:
    """The same circumstances, with the reason that the body gives."""
    return replace(ask, reason=reason)


def on_instance(parts: Parts, ask: Ask, key: str, wish: Wish) -> tuple[str, Accepted]:
    """Accept `wish` for one instance; returns its id and what was accepted."""

    def work(tx: Tx) -> tuple[str, Accepted]:
        before = replayed(tx, ask)
        if before is not None:
            return _first_instance(tx, before), before
        row = find_instance(tx.session, ask.caller, key)
        around = surroundings(tx.session, [row], now())
        return row.id, _instance_door(parts, tx, ask, row, situation(row, around), wish)

    return commit(parts.database, work)


def _first_instance(tx: Tx, accepted: Accepted) -> str:
    rows = operations.by_ids(tx.session, [accepted.operation_id])
    return next(iter(rows[accepted.operation_id].instance_ids), "")


def _instance_door(parts: Parts, tx: Tx, ask: Ask, row: Row[Any], at: Situation, wish: Wish) -> Accepted:
    operation = wish.operation
    if operation is None:
        return _cancel(tx, ask, at)
    _explain(at, operation)
    lost = wish.force and at.host_lost and at.holder is None
    doors: dict[Operation, Callable[[], Accepted]] = {
        **{simple: partial(requests.act, tx, ask, simple, row.deployment_id, row.id) for simple in _SIMPLE},
        Operation.MODIFY: lambda: edit_instance(
            tx, ask, row.id, Edit(wish.patch or {}, wish.versions), parts.means
        ),
        Operation.DELETE: lambda: (
            forget(tx, ask, row.id, host_lost=True)
            if lost
            else withdrawals.delete(tx, ask, row.deployment_id, row.id)
        ),
        Operation.RETRY: lambda: (retry_at_once if wish.at_once else retry_instance)(tx, ask, row.id),
        Operation.MAINTENANCE_ON: lambda: maintenance(tx, ask, row.id, on=True),
        Operation.MAINTENANCE_OFF: lambda: maintenance(tx, ask, row.id, on=False, seen=wish.seen),
        Operation.FORGET: lambda: forget(tx, ask, row.id, host_lost=at.host_lost),
    }
    return doors[operation]()


def _explain(at: Situation, operation: Operation) -> None:
    """Refuse with the words that `allowed_actions` shows. A repeated delete is left to its door."""
    reason = why_not(at, operation)
    if reason is None or (operation is Operation.DELETE and at.holder is not None):
        return
    if at.holder is not None and operation in AVAILABLE and operation is not Operation.CREATE:
        raise OperationInProgress(at.holder.id, at.holder.kind.value)
    if reason == HOST_SILENT:
        raise HostUnavailable(f"{operation} is refused: {reason}.")
    raise OperationNotAllowed(operation.value, at.status.value, enabled(at), f"{operation} is refused: {reason}")


def _cancel(tx: Tx, ask: Ask, at: Situation) -> Accepted:
    row = next(a for a in actions(at) if a.action == CANCEL)
    if at.holder is None or not row.enabled:
        raise OperationNotAllowed(CANCEL, at.status.value, enabled(at), f"cancel is refused: {row.reason}")
    operation = withdrawals.cancel(tx, ask, at.holder.id)
    return Accepted(operation.id, operation.deployment_id)


def on_deployment(parts: Parts, ask: Ask, key: str, wish: Wish, edit: Edit | None = None) -> Accepted:
    """Accept `wish` for every member of a deployment whose status allows it."""

    def work(tx: Tx) -> Accepted:
        before = replayed(tx, ask)
        if before is not None:
            return before
        row = find_deployment(tx.session, ask.caller, key)
        operation = wish.operation
        if operation is Operation.MODIFY:
            return edit_deployment(tx, ask, row.id, edit or Edit(wish.patch or {}), parts.means)
        if operation is Operation.DELETE:
            return withdrawals.delete(tx, ask, row.id)
        if operation not in _SIMPLE or operation not in catalog.offered(row.blueprint):
            allowed = tuple(sorted(o.value for o in _OF_DEPLOYMENTS))
            raise OperationNotAllowed(
                str(operation or CANCEL), None, allowed, "a deployment does not take this as a whole"
            )
        return requests.act(tx, ask, operation, row.id)

    return commit(parts.database, work)


def on_operation(parts: Parts, ask: Ask, operation_id: str, *, retry: bool) -> Accepted:
    """Accept a cancel of an operation, or a new one that repeats it."""

    def work(tx: Tx) -> Accepted:
        before = replayed(tx, ask)
        if before is not None:
            return before
        row = find_operation(tx.session, ask.caller, operation_id)
        if retry:
            return repeats.retry(tx, ask, row.id)
        cancelled = withdrawals.cancel(tx, ask, row.id)
        return Accepted(cancelled.id, cancelled.deployment_id)

    return commit(parts.database, work)

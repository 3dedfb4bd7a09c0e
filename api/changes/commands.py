"""From an action's name to its door, in one transaction: look up, explain a refusal, accept.

Used by the action routes, the batch, PATCH, DELETE and the legacy forms.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from api.changes.doors import SIMPLE, Wish, check_actor, instance_door
from api.changes.transactions import commit
from api.dependencies import now
from api.parts import Parts
from api.reading import find_deployment, find_instance, find_operation
from db.queries import operations
from db.session import Tx
from domain.actions import CANCEL, FORCED
from domain.errors import FieldError, InvalidInput, OperationNotAllowed
from domain.holds import HoldCause
from domain.lifecycle import Operation
from domain.operations import OPERATION_DETAILS, Reason
from domain.specs import Accepted, Ask
from services.operations.acceptance import replayed
from services.places import catalog
from services.requests import changes, repeats, suspension, withdrawals
from services.requests.aborting import abort as close_listener
from services.requests.action_params import terms
from services.requests.edits import Edit, edit_deployment
from services.views.instances import situation, surroundings

_BY_SYNONYM = ((Operation.START, OPERATION_DETAILS[Operation.START]), *OPERATION_DETAILS.items())
"""To launch what exists is to start it."""
_OF_DEPLOYMENTS = SIMPLE | {Operation.MODIFY, Operation.SUSPEND, Operation.UNSUSPEND, Operation.DELETE}


def operation_named(action: str) -> Operation | None:
    """The operation behind a name or a synonym; None for `cancel`. Raises `InvalidInput`."""
    if action == CANCEL:
        return None
    if action in FORCED:
        return FORCED[action]
    if action in set(Operation):
        return Operation(action)
    for operation, details in _BY_SYNONYM:
        if action in details.synonyms:
            return operation
    known = ", ".join([*(o.value for o in Operation), CANCEL])
    raise InvalidInput(FieldError("/action", f"there is no such action; known: {known}"))


def wish_for(action: str, params: Mapping[str, Any] | None = None) -> Wish:
    """What an action's name and parameters ask for. Raises `InvalidInput`."""
    operation = operation_named(action)
    if operation is Operation.MODIFY:
        return Wish(operation, patch=params)
    return Wish(operation, force=action in FORCED, terms=terms(operation, params))


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
        return row.id, instance_door(parts, tx, ask, row, situation(row, around), wish)

    return commit(parts.database, work)


def _first_instance(tx: Tx, accepted: Accepted) -> str:
    rows = operations.by_ids(tx.session, [accepted.operation_id])
    return next(iter(rows[accepted.operation_id].instance_ids), "")


def on_deployment(parts: Parts, ask: Ask, key: str, wish: Wish, edit: Edit | None = None) -> Accepted:
    """Accept `wish` for every member of a deployment whose status allows it."""

    def work(tx: Tx) -> Accepted:
        before = replayed(tx, ask)
        if before is not None:
            return before
        row = find_deployment(tx.session, ask.caller, key)
        operation = wish.operation
        check_actor(ask.caller, operation)
        if operation is Operation.MODIFY:
            return edit_deployment(tx, ask, row.id, edit or Edit(wish.patch or {}), parts.means)
        if operation is Operation.DELETE:
            return withdrawals.delete(tx, ask, row.id, force=wish.force or wish.terms.force)
        if operation is Operation.SUSPEND:
            return suspension.suspend(tx, ask, row.id, wish.suspension)
        if operation is Operation.UNSUSPEND:
            return suspension.unsuspend(tx, ask, row.id, HoldCause.ADMIN)
        if operation not in SIMPLE or operation not in catalog.offered(row.blueprint):
            allowed = tuple(sorted(o.value for o in _OF_DEPLOYMENTS))
            raise OperationNotAllowed(
                str(operation or CANCEL), None, allowed, "a deployment does not take this as a whole"
            )
        return changes.act(tx, ask, operation, row.id)

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


def abort_listener(parts: Parts, ask: Ask, operation_id: str) -> Accepted:
    """Stop a failed operation from listening for a retry."""
    with parts.database.read() as session:
        row = find_operation(session, ask.caller, operation_id)
    commit(parts.database, lambda tx: close_listener(tx, ask, operation_id))
    return Accepted(row.id, row.deployment_id)

"""What can be done with one instance now: every operation of the table with its button, and why not.

Asked by the views (services) for `allowed_actions` and by the API for the text of a refusal. A pure function of a
small frozen situation, and cached: a page of fifty instances asks fifty times, mostly in the same few situations.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from domain.holds import HoldCause, Standing, why_held
from domain.lifecycle import (
    AFTER_DELETE_PLANNED,
    IN_PROGRESS,
    REFUSED_ON_HOLD,
    Operation,
    Role,
    Status,
    allowed_operations,
    button_operations,
)
from domain.operations import AVAILABLE, OPERATION_DETAILS, ErrorOrigin, OperationStatus, Source

CANCEL = "cancel"
CANCEL_LABEL = "Cancel"
FORCED = {"force_stop": Operation.STOP, "force_delete": Operation.DELETE}
"""What is offered beside the operations while one is stuck: it pre-empts that one and gives it no grace."""
_FORCE_LABELS = {"force_stop": "Force stop", "force_delete": "Force terminate"}
NOT_STOPPED_BY_FORCE = frozenset({Operation.CREATE, Operation.SUSPEND, Operation.DELETE})
"""Of what these leave half done there is nothing to stop, or it is stopping already for good."""

OF_EVERY_BLUEPRINT = frozenset(
    {
        Operation.CREATE,
        Operation.RETRY,
        Operation.SUSPEND,
        Operation.UNSUSPEND,
        Operation.MAINTENANCE_ON,
        Operation.MAINTENANCE_OFF,
        Operation.DELETE,
        Operation.FORGET,
    }
)
"""These are about the record and the operation; no blueprint has a say in them."""


WITHOUT_HOST = frozenset(
    {
        Operation.SUSPEND,
        Operation.MAINTENANCE_ON,
        Operation.MAINTENANCE_OFF,
        Operation.DELETE,
        Operation.FORGET,
    }
)
"""What is accepted while nobody hears of the instance's host."""

PROTECTED = "it is protected against deletion; lift `deletion_protection` first"
HOST_SILENT = (
    "its host has not been seen for 30 s; start the worker there (`berth up`, or `berth-worker --host`), "
    "or delete or forget the instance"
)


@dataclass(frozen=True)
class Holder:
    """The operation that holds the deployment now. `touches`: whether this instance is part of it. `source`: who
    asked for it, and so whose hold a suspension enforces."""

    id: str
    kind: Operation
    status: OperationStatus
    touches: bool = True
    source: Source = Source.USER


@dataclass(frozen=True)
class Situation:
    """All that decides. `repeatable`: the last operation of this instance failed, and left it in error."""

    status: Status
    role: Role
    blueprint: str
    offered: frozenset[Operation]
    delete_begun: bool = False
    error_origin: ErrorOrigin | None = None
    repeatable: bool = False
    holder: Holder | None = None
    stuck: bool = False
    host_silent: bool = False
    host_lost: bool = False
    needed: str | None = None
    """Why it must stay: what lives on it, and what to do first."""
    holds: tuple[Standing, ...] = ()
    protected: bool = False
    maintenance_planned: bool = False


@dataclass(frozen=True)
class Action:
    """One row of `allowed_actions`."""

    action: str
    label: str
    button: bool
    enabled: bool
    reason: str | None = None


@lru_cache(maxsize=4096)
def actions(situation: Situation) -> tuple[Action, ...]:
    """A row for every operation of the table, and one for `cancel`."""
    buttons = _buttons(situation)
    rows = []
    for operation in Operation:
        reason = why_not(situation, operation)
        label = OPERATION_DETAILS[operation].label
        rows.append(Action(operation.value, label, operation in buttons, reason is None, reason))
    return (*rows, _cancel(situation), *_forced(situation))


def _forced(situation: Situation) -> tuple[Action, ...]:
    """Offered only while an operation is stuck, and then they can be done."""
    rows = []
    for name, operation in FORCED.items():
        if why_not_forced(situation, operation) is None:
            rows.append(Action(name, _FORCE_LABELS[name], True, True))
    return tuple(rows)


def why_not_forced(situation: Situation, operation: Operation) -> str | None:
    """What forbids to pre-empt what is stuck with `operation`."""
    holder = situation.holder
    if holder is None or not situation.stuck:
        return "nothing is stuck here; force is for an operation that is past its deadline"
    if operation is Operation.DELETE:
        return _kept(situation)
    if operation is not Operation.STOP:
        return f"{operation} cannot be forced; force is for stop and delete"
    nothing_there = situation.status in {Status.CREATING, Status.DELETING} or not holder.touches
    if nothing_there or holder.kind in NOT_STOPPED_BY_FORCE or situation.delete_begun:
        return f"a stuck {holder.kind} cannot be ended by a stop; delete it by force"
    return None


def enabled(situation: Situation) -> tuple[str, ...]:
    """The names of what is allowed now."""
    return tuple(row.action for row in actions(situation) if row.enabled)


def why_not(situation: Situation, operation: Operation) -> str | None:
    """What forbids `operation` now; None when nothing does."""
    if operation is Operation.CREATE or operation not in AVAILABLE:
        return "it exists already" if operation is Operation.CREATE else "not available in this version"
    if operation is Operation.DELETE and (kept := _kept(situation)) is not None:
        return kept
    if operation not in OF_EVERY_BLUEPRINT and operation not in situation.offered:
        return f"{situation.blueprint} cannot do this"
    if situation.holder is not None and not (operation is Operation.FORGET and situation.host_lost):
        return _while_held(situation.holder, operation)
    return _while_free(situation, operation) or (HOST_SILENT if _waits_for_host(situation, operation) else None)


def _kept(situation: Situation) -> str | None:
    """Why it may not be deleted."""
    return situation.needed or (PROTECTED if situation.protected else None)


def _waits_for_host(situation: Situation, operation: Operation) -> bool:
    """Whether the host that would have to do it is silent. A delete and its retry are accepted all the same."""
    takes_away = operation in WITHOUT_HOST or (operation is Operation.RETRY and situation.delete_begun)
    return situation.host_silent and not takes_away


def _while_held(holder: Holder, operation: Operation) -> str | None:
    doing = f"{holder.kind} {holder.id} is {'waiting to begin' if holder.status == 'pending' else 'in progress'}"
    if operation is not Operation.DELETE:
        return doing
    if holder.kind is Operation.DELETE and holder.touches:
        return f"{doing} already"
    return doing if holder.kind is Operation.DELETE else None


def _while_free(situation: Situation, operation: Operation) -> str | None:
    status = situation.status
    if situation.delete_begun and operation not in AFTER_DELETE_PLANNED:
        return "it is half deleted; nothing may start what is left of it"
    if _out_of_table(situation, operation):
        return None
    held = _held(situation)
    if operation not in allowed_operations(status, held=held):
        suspended = held and (operation in REFUSED_ON_HOLD or operation in allowed_operations(status))
        return why_held(situation.holds) if suspended else f"not while it is {status}"
    if operation is Operation.UNSUSPEND and held and not _is_admins(situation):
        return why_held(situation.holds)
    return _of_its_kind(situation, operation)


def _out_of_table(situation: Situation, operation: Operation) -> bool:
    """What something else than the status allows: a lost host, a plan, a delete that takes what is in progress, an
    administrator's hold beside billing's."""
    return (
        (operation is Operation.FORGET and situation.host_lost)
        or (operation is Operation.SUSPEND and _joins(situation))
        or (operation is Operation.MAINTENANCE_OFF and situation.maintenance_planned)
        or (operation is Operation.DELETE and situation.status in IN_PROGRESS)
    )


def _of_its_kind(situation: Situation, operation: Operation) -> str | None:
    if operation is Operation.PROMOTE and situation.role is not Role.REPLICA:
        return "only a replica can be promoted"
    if operation is Operation.RETRY and not situation.repeatable:
        found = situation.error_origin is ErrorOrigin.MONITOR
        why = "no operation failed, it was found like this; use start"
        return why if found else "there is no failed operation to repeat"
    return None


def _held(situation: Situation) -> bool:
    """What is half deleted can start nothing anyhow; no hold may keep its delete from being repeated."""
    return bool(situation.holds) and not situation.delete_begun


def _joins(situation: Situation) -> bool:
    """Whether an administrator's hold may be placed beside the one that has suspended it."""
    return situation.status is Status.SUSPENDED and bool(situation.holds) and not _is_admins(situation)


def _is_admins(situation: Situation) -> bool:
    return any(hold.cause is HoldCause.ADMIN for hold in situation.holds)


def _may_take_back(situation: Situation, suspend: Holder) -> bool:
    """To cancel a suspension is to lift its hold: billing's is billing's, also beside an administrator's."""
    return _is_admins(situation) and suspend.source is not Source.BILLING


def _buttons(situation: Situation) -> frozenset[Operation]:
    """In progress only delete (and cancel) show, and forget when nothing else helps; else the table's buttons."""
    if situation.holder is not None or situation.status in IN_PROGRESS:
        shown = {Operation.DELETE}
    else:
        shown = set(button_operations(situation.status, held=_held(situation)))
        if _held(situation) and situation.status is Status.ERROR:
            shown.add(Operation.SUSPEND)
    if situation.role is not Role.REPLICA:
        shown.discard(Operation.PROMOTE)
    if situation.host_lost or situation.stuck or (situation.delete_begun and situation.holder is None):
        shown.add(Operation.FORGET)
    return frozenset(shown)


def _cancel(situation: Situation) -> Action:
    holder = situation.holder
    reason = None
    if holder is None:
        reason = "nothing is in progress"
    elif not holder.touches:
        reason = f"{holder.kind} {holder.id} works on another member of this deployment"
    elif holder.kind is Operation.SUSPEND and situation.holds and not _may_take_back(situation, holder):
        reason = why_held(situation.holds)
    elif holder.kind is Operation.DELETE and holder.status is OperationStatus.RUNNING:
        reason = "a delete that has begun cannot be taken back"
    shown = holder is not None and holder.touches
    return Action(CANCEL, CANCEL_LABEL, shown, reason is None, reason)

"""The one table of moves: which operation is legal from which status, what shows meanwhile, where it ends.

Asked by the API (refusals, `allowed_actions`), the database (CHECK constraints), the docs (state diagram) and
the tests. Workflows and activities never read it: acceptance copies a move's statuses onto the operation, so
that editing the table cannot break the replay of an operation in flight.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from domain.errors import OperationNotAllowed


class Status(StrEnum):
    """What an instance is doing (in progress) or is (settled)."""

    CREATING = "creating"
    STARTING = "starting"
    STOPPING = "stopping"
    RESTARTING = "restarting"
    MODIFYING = "modifying"
    UPDATING = "updating"
    PROMOTING = "promoting"
    BACKING_UP = "backing_up"
    RESTORING = "restoring"
    DELETING = "deleting"
    RUNNING = "running"
    STOPPED = "stopped"
    SUSPENDED = "suspended"
    MAINTENANCE = "maintenance"
    ERROR = "error"
    TERMINATED = "terminated"


class ProvisioningStatus(StrEnum):
    """How far the provisioning of the real object has come."""

    PENDING = "pending"
    PROVISIONING = "provisioning"
    COMPLETED = "completed"
    FAILED = "failed"


class BillingStatus(StrEnum):
    """What billing says of the owner."""

    TRIAL = "trial"
    PAID = "paid"
    PAYMENT_REQUIRED = "payment_required"


class Health(StrEnum):
    """What the last fresh observation says; never merged with the status."""

    HEALTHY = "healthy"
    DEGRADED = "degraded"
    UNREACHABLE = "unreachable"
    UNKNOWN = "unknown"


class Role(StrEnum):
    """An instance's part in its deployment."""

    STANDALONE = "standalone"
    PRIMARY = "primary"
    REPLICA = "replica"


class Operation(StrEnum):
    """Everything that can be asked of an instance, by its name in the API."""

    CREATE = "create"
    RETRY = "retry"
    START = "start"
    STOP = "stop"
    RESTART = "restart"
    MODIFY = "modify"
    UPDATE = "update"
    PROMOTE = "promote"
    BACKUP = "backup"
    RESTORE = "restore"
    SUSPEND = "suspend"
    UNSUSPEND = "unsuspend"
    MAINTENANCE_ON = "maintenance_on"
    MAINTENANCE_OFF = "maintenance_off"
    DELETE = "delete"
    FORGET = "forget"


class Ending(StrEnum):
    """An end that depends on the instance, resolved when the operation is accepted or ends."""

    AS_BEFORE = "as_before"
    AS_OBSERVED = "as_observed"
    AS_BEFORE_SUSPENSION = "as_before_suspension"


class Actor(StrEnum):
    """Who may ask for a move."""

    USER = "user"
    ADMIN = "admin"
    SYSTEM = "system"


IN_PROGRESS = frozenset(
    {
        Status.CREATING,
        Status.STARTING,
        Status.STOPPING,
        Status.RESTARTING,
        Status.MODIFYING,
        Status.UPDATING,
        Status.PROMOTING,
        Status.BACKING_UP,
        Status.RESTORING,
        Status.DELETING,
    }
)
SETTLED = frozenset(Status) - IN_PROGRESS
FINAL = frozenset({Status.TERMINATED})

_S = Status
_NONE: frozenset[Status] = frozenset()


@dataclass(frozen=True)
class Move:
    """One row: the whole life of one operation from one group of statuses."""

    operation: Operation
    legal_from: frozenset[Status]
    during: Status | None
    done: Status | Ending
    failed: Status | Ending
    cancelled: Status | Ending
    actor: Actor = Actor.USER
    buttons_in: frozenset[Status] = field(default=_NONE)
    """Where a button is shown; legal elsewhere in `legal_from` all the same."""
    with_hold: frozenset[Status] = field(default=_NONE)
    """Legal from here too, while the deployment is held by a suspension."""
    refused_on_hold: bool = False
    """It may start something, so it is legal from nowhere while a hold stands."""

    def is_legal(self, status: Status | None, *, held: bool) -> bool:
        """Whether this row is about `status` (None: the instance does not exist yet) and allows it."""
        if status is None:
            return not self.legal_from
        if held and self.refused_on_hold:
            return False
        return status in self.legal_from or (held and status in self.with_hold)


def _row(
    operation: Operation,
    legal_from: set[Status],
    ends: tuple[Status | None, Status | Ending, Status | Ending, Status | Ending],
    *,
    buttons: set[Status] | None = None,
    actor: Actor = Actor.USER,
    with_hold: frozenset[Status] = _NONE,
    starts: bool = False,
) -> Move:
    during, done, failed, cancelled = ends
    shown = legal_from if buttons is None else buttons
    return Move(
        operation,
        frozenset(legal_from),
        during,
        done,
        failed,
        cancelled,
        actor,
        frozenset(shown) & legal_from,
        with_hold,
        refused_on_hold=starts,
    )


_SEEN = Ending.AS_OBSERVED
_BEFORE = Ending.AS_BEFORE

MOVES: tuple[Move, ...] = (
    #    operation, legal from, (while it runs, if it works, if it fails, if it is cancelled)
    _row(Operation.CREATE, set(), (_S.CREATING, _S.RUNNING, _S.ERROR, _S.ERROR)),
    _row(Operation.START, {_S.STOPPED, _S.ERROR}, (_S.STARTING, _S.RUNNING, _S.ERROR, _SEEN), starts=True),
    _row(
        Operation.STOP,
        {_S.RUNNING, _S.ERROR},
        (_S.STOPPING, _S.STOPPED, _S.ERROR, _SEEN),
        buttons={_S.RUNNING},
    ),
    _row(
        Operation.RESTART,
        {_S.RUNNING, _S.ERROR},
        (_S.RESTARTING, _S.RUNNING, _S.ERROR, _SEEN),
        starts=True,
    ),
    _row(
        Operation.MODIFY,
        {_S.RUNNING, _S.ERROR},
        (_S.MODIFYING, _S.RUNNING, _S.ERROR, _SEEN),
        buttons={_S.RUNNING},
        starts=True,
    ),
    _row(Operation.MODIFY, {_S.STOPPED}, (_S.MODIFYING, _S.STOPPED, _S.ERROR, _SEEN)),
    _row(
        Operation.UPDATE,
        {_S.RUNNING, _S.ERROR},
        (_S.UPDATING, _S.RUNNING, _SEEN, _SEEN),
        buttons=set(),
        starts=True,
    ),
    _row(Operation.UPDATE, {_S.STOPPED}, (_S.UPDATING, _S.STOPPED, _SEEN, _SEEN), buttons=set()),
    _row(Operation.PROMOTE, {_S.RUNNING}, (_S.PROMOTING, _S.RUNNING, _SEEN, _SEEN), starts=True),
    _row(Operation.BACKUP, {_S.RUNNING, _S.STOPPED}, (_S.BACKING_UP, _BEFORE, _BEFORE, _BEFORE)),
    _row(
        Operation.RESTORE,
        {_S.RUNNING, _S.STOPPED, _S.ERROR},
        (_S.RESTORING, _S.RUNNING, _S.ERROR, _SEEN),
        buttons={_S.STOPPED, _S.ERROR},
        starts=True,
    ),
    _row(
        Operation.SUSPEND,
        {_S.RUNNING, _S.STOPPED, _S.ERROR, _S.MAINTENANCE},
        (_S.STOPPING, _S.SUSPENDED, _S.ERROR, _SEEN),
        buttons={_S.RUNNING},
        actor=Actor.ADMIN,
    ),
    _row(
        Operation.UNSUSPEND,
        {_S.SUSPENDED},
        (_S.STARTING, Ending.AS_BEFORE_SUSPENSION, _S.SUSPENDED, _S.SUSPENDED),
        actor=Actor.ADMIN,
        with_hold=frozenset({_S.ERROR}),
    ),
    _row(
        Operation.MAINTENANCE_ON,
        {_S.RUNNING, _S.STOPPED},
        (None, _S.MAINTENANCE, _BEFORE, _BEFORE),
        buttons={_S.RUNNING},
        actor=Actor.ADMIN,
        starts=True,
    ),
    _row(Operation.MAINTENANCE_OFF, {_S.MAINTENANCE}, (None, _SEEN, _BEFORE, _BEFORE), actor=Actor.ADMIN),
    _row(
        Operation.DELETE,
        set(Status) - {_S.DELETING, _S.TERMINATED},
        (_S.DELETING, _S.TERMINATED, _S.ERROR, _BEFORE),
    ),
    _row(
        Operation.FORGET,
        {_S.ERROR},
        (None, _S.TERMINATED, _BEFORE, _BEFORE),
        buttons=set(),
        actor=Actor.ADMIN,
    ),
    # A retry takes the statuses of the operation it repeats; this row says only where it is legal.
    _row(Operation.RETRY, {_S.ERROR}, (None, _SEEN, _S.ERROR, _SEEN), starts=True),
)

REFUSED_ON_HOLD = frozenset(Operation) - {m.operation for m in MOVES if not m.refused_on_hold}
"""What no status makes legal while a hold stands: a refusal names the hold."""

AFTER_DELETE_PLANNED = frozenset({Operation.DELETE, Operation.RETRY, Operation.FORGET})
"""All that is legal once a delete has planned: nothing may start half-deleted data."""


def move_for(operation: Operation, status: Status | None, *, held: bool = False) -> Move:
    """The move of `operation` from `status` (None: the instance does not exist yet).

    `held`: a suspension stands on the deployment. Raises `OperationNotAllowed`, naming what is allowed instead.
    """
    for move in MOVES:
        if move.operation is operation and move.is_legal(status, held=held):
            return move
    allowed = allowed_operations(status, held=held) if status is not None else (Operation.CREATE,)
    raise OperationNotAllowed(operation.value, status.value if status else None, tuple(o.value for o in allowed))


def allowed_operations(status: Status, *, held: bool = False) -> tuple[Operation, ...]:
    """Every operation that the table allows from `status`, in table order."""
    return tuple(dict.fromkeys(m.operation for m in MOVES if m.is_legal(status, held=held)))


def button_operations(status: Status, *, held: bool = False) -> tuple[Operation, ...]:
    """The operations that show as buttons in `status`, in table order. `held` adds what mends a suspension."""
    shown = [m.operation for m in MOVES if status in m.buttons_in and m.is_legal(status, held=held)]
    if held:
        shown += [m.operation for m in MOVES if status in m.with_hold]
    return tuple(dict.fromkeys(shown))

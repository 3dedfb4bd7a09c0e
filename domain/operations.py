"""Words about operations that are not in the table of moves: their own statuses, labels, reasons, who asks."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from domain.lifecycle import Operation


class OperationStatus(StrEnum):
    """The life of an operation. The last three are final."""

    PENDING = "pending"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def done(self) -> bool:
        """Whether nothing more can change."""
        return self in {OperationStatus.SUCCEEDED, OperationStatus.FAILED, OperationStatus.CANCELLED}

    @property
    def repeatable(self) -> bool:
        """Whether a retry may repeat it on what it left in error. A cancelled create leaves nothing else to do."""
        return self in {OperationStatus.FAILED, OperationStatus.CANCELLED}


UNFINISHED = tuple(status for status in OperationStatus if not status.done)
"""Such an operation holds its deployment."""


class StepStatus(StrEnum):
    """The life of one step."""

    PENDING = "pending"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    SKIPPED = "skipped"


class ErrorOrigin(StrEnum):
    """Who set an error: a monitor may lift only its own."""

    MONITOR = "monitor"
    OPERATION = "operation"


class RestartPolicy(StrEnum):
    """What happens when an instance stops without being asked to."""

    NEVER = "never"
    ON_FAILURE = "on_failure"
    ALWAYS = "always"


class Source(StrEnum):
    """Where a change or its evidence comes from."""

    AGENT = "agent"
    BACKEND = "backend"
    NEW_PRIMARY_CONFIRMATION = "new_primary_confirmation"
    EXTERNAL = "external"
    MONITOR = "monitor"
    BILLING = "billing"
    USER = "user"
    BERTH = "berth"


class Reason(StrEnum):
    """Why somebody asked."""

    MANUAL = "manual"
    AUTO_SWITCH = "auto_switch"
    EMERGENCY = "emergency"
    CLEANUP = "cleanup"
    COST_OPTIMIZATION = "cost_optimization"
    PAYMENT_FAILED = "payment_failed"
    PAYMENT_SUCCEEDED = "payment_succeeded"
    SUBSCRIPTION_CANCELLED = "subscription_cancelled"
    RESTART_POLICY = "restart_policy"


class ConfirmationMethod(StrEnum):
    """How a change was proven."""

    AGENT_AWS_POLL = "agent_aws_poll"
    BACKEND_AWS_CHECK = "backend_aws_check"
    NEW_PRIMARY_HEALTH_CHECK = "new_primary_health_check"
    PROVIDER_POLL = "provider_poll"
    EXTERNAL = "external"


class ConfirmationKind(StrEnum):
    """What an outside confirmation claims."""

    LAUNCHED = "launched"
    STOPPED = "stopped"
    TERMINATED = "terminated"
    PROMOTED = "promoted"


@dataclass(frozen=True)
class OperationDetails:
    """How an operation presents itself. `past` is the verb of its events (`LAUNCH_CONFIRMED`)."""

    label: str
    event: str
    synonyms: tuple[str, ...] = ()
    durable: bool = True
    """False: one transaction, no workflow."""


OPERATION_DETAILS: dict[Operation, OperationDetails] = {
    Operation.CREATE: OperationDetails("Create", "LAUNCH", ("launch",)),
    Operation.RETRY: OperationDetails("Retry", "RETRY"),
    Operation.START: OperationDetails("Start", "START", ("launch",)),
    Operation.STOP: OperationDetails("Stop", "STOP"),
    Operation.RESTART: OperationDetails("Restart", "RESTART"),
    Operation.MODIFY: OperationDetails("Modify", "MODIFY"),
    Operation.UPDATE: OperationDetails("Update", "UPDATE"),
    Operation.PROMOTE: OperationDetails("Promote", "PROMOTE"),
    Operation.BACKUP: OperationDetails("Back up", "BACKUP"),
    Operation.RESTORE: OperationDetails("Restore", "RESTORE"),
    Operation.SUSPEND: OperationDetails("Suspend", "SUSPEND"),
    Operation.UNSUSPEND: OperationDetails("Unsuspend", "UNSUSPEND"),
    Operation.MAINTENANCE_ON: OperationDetails("Maintenance", "MAINTENANCE_ON", durable=False),
    Operation.MAINTENANCE_OFF: OperationDetails("End maintenance", "MAINTENANCE_OFF", durable=False),
    Operation.DELETE: OperationDetails("Terminate", "TERMINATE", ("terminate",)),
    Operation.FORGET: OperationDetails("Forget", "FORGET", durable=False),
}

AVAILABLE = frozenset(
    {
        Operation.CREATE,
        Operation.RETRY,
        Operation.START,
        Operation.STOP,
        Operation.RESTART,
        Operation.MODIFY,
        Operation.SUSPEND,
        Operation.UNSUSPEND,
        Operation.MAINTENANCE_ON,
        Operation.MAINTENANCE_OFF,
        Operation.DELETE,
        Operation.FORGET,
    }
)
"""What this version carries out; the rest of the table is listed as disabled, with the reason."""

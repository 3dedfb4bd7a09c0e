"""Every error that Berth raises on purpose.

BerthError
├── Refused                    the caller can mend it; nothing was written
│   ├── InvalidInput           fields named by JSON pointer
│   ├── NotFound · Forbidden
│   ├── Terminated             it lived once; its run is named
│   ├── OperationNotAllowed    the table of moves says no
│   │   ├── OnHold             a suspension stands on the deployment
│   │   └── Protected          the deployment is protected against deletion
│   ├── OperationInProgress    another operation holds the deployment
│   ├── NameTaken · PortTaken · IdempotencyConflict
│   ├── HostUnavailable · ProviderUnavailable
│   ├── PreconditionFailed · PreconditionRequired
│   └── Unavailable            a part that is needed does not answer
├── FenceLost                  this run no longer owns its deployment; it must touch nothing more
├── AttemptOver                a later attempt of the same step has begun
├── NotYet                     what an attempt needs is under way; the next attempt looks again
├── CallCancelled              the operation was cancelled while a provider call was under way
├── TimedOut                   the time of a step is over
└── ProviderError              the provider said no; its kind decides about retries
    └── EndedByItself          what runs has ended: some attempts more, not until the time is over
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class BerthError(Exception):
    """Base of all of them. `code` is stable and has a page in docs/errors.md."""

    code = "internal"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class Refused(BerthError):
    """A request that was not accepted. Nothing was written."""

    code = "refused"


@dataclass(frozen=True)
class FieldError:
    """One bad field: its JSON pointer and what is allowed."""

    pointer: str
    detail: str


class InvalidInput(Refused):
    """One or more fields are wrong."""

    code = "invalid-input"

    def __init__(self, *errors: FieldError) -> None:
        super().__init__("; ".join(f"{e.pointer}: {e.detail}" for e in errors))
        self.errors = errors


class NotFound(Refused):
    """No such thing, or it belongs to another project."""

    code = "not-found"

    def __init__(self, what: str, name: str) -> None:
        super().__init__(f"There is no {what} {name!r}.")


class Forbidden(Refused):
    """The principal is known, and its role does not have the right."""

    code = "forbidden"


class Terminated(Refused):
    """The instance existed and is gone; its finished life remains."""

    code = "terminated"

    def __init__(self, instance_id: str, run_id: str) -> None:
        super().__init__(f"Instance {instance_id} is terminated; its history remains.")
        self.instance_id = instance_id
        self.run_id = run_id


class OperationNotAllowed(Refused):
    """The table of moves does not list this operation from this status."""

    code = "invalid-transition"

    def __init__(
        self, operation: str, status: str | None, allowed: tuple[str, ...], why: str | None = None
    ) -> None:
        self.operation = operation
        self.status = status
        self.reason = why or f"{operation} is not allowed while the instance is {status}"
        self.allowed = allowed
        super().__init__(self.told(allowed))

    def told(self, allowed: tuple[str, ...]) -> str:
        """The message, for somebody who may ask for `allowed` alone."""
        instead = f"allowed now: {', '.join(allowed)}" if allowed else "nothing is allowed now"
        return f"{self.reason}; {instead}."


class OnHold(OperationNotAllowed):
    """A suspension stands on the deployment: nothing may start there, whatever its status."""

    code = "on-hold"


class Protected(OperationNotAllowed):
    """The deployment is protected against deletion."""

    code = "deletion-protected"


class OperationInProgress(Refused):
    """Another operation holds the deployment."""

    code = "operation-in-progress"

    def __init__(self, operation_id: str, kind: str) -> None:
        super().__init__(f"{kind} {operation_id} holds this deployment; wait for it, cancel it, or delete.")
        self.operation_id = operation_id
        self.kind = kind


class NameTaken(Refused):
    """A living deployment or instance already has this name."""

    code = "name-taken"

    def __init__(self, name: str) -> None:
        super().__init__(f"The name {name!r} is taken; names are unique among what lives.")
        self.name = name


class PortTaken(Refused):
    """Another instance owns this port for life."""

    code = "port-taken"


class HostUnavailable(Refused):
    """No host or worker can do the work now."""

    code = "host-unavailable"


class ProviderUnavailable(Refused):
    """The provider is not configured anywhere."""

    code = "provider-unavailable"

    def __init__(self, provider: str, why: str) -> None:
        super().__init__(f"The provider {provider} cannot be used here: {why}.")
        self.provider = provider


class IdempotencyConflict(Refused):
    """The key was used before with another body."""

    code = "idempotency-key-reused"


class PreconditionFailed(Refused):
    """The object changed since the caller read it."""

    code = "precondition-failed"

    def __init__(self, message: str, current_version: int | None = None) -> None:
        super().__init__(message)
        self.current_version = current_version


class PreconditionRequired(Refused):
    """The caller must say which version it read."""

    code = "precondition-required"


class Unavailable(Refused):
    """A part of Berth that this request needs does not answer now."""

    code = "unavailable"


class FenceLost(BerthError):
    """The operation is not (or no longer) the one that owns its deployment."""

    code = "fence-lost"


class AttemptOver(BerthError):
    """A later attempt of the same step, or its clean-up, has begun: this one must touch nothing more."""

    code = "attempt-over"


class NotYet(BerthError):
    """Something that was asked for elsewhere is not there yet. The message says what is awaited."""

    code = "not-yet"


class CallCancelled(BerthError):
    """The operation was cancelled; the provider call stopped at a safe point."""

    code = "cancelled"


class TimedOut(BerthError):
    """The time of a step is over; the message says what was seen last."""

    code = "timed-out"


class ProviderErrorKind(StrEnum):
    """What a provider's refusal means for the next attempt."""

    TRANSIENT = "transient"
    THROTTLED = "throttled"
    NO_CAPACITY = "no_capacity"
    QUOTA = "quota"
    AUTH = "auth"
    INVALID = "invalid"
    NOT_FOUND = "not_found"
    NOT_READY = "not_ready"


RETRYABLE = frozenset({ProviderErrorKind.TRANSIENT, ProviderErrorKind.THROTTLED, ProviderErrorKind.NOT_READY})


class ProviderError(BerthError):
    """A provider or a probe failed. The message is shown to people: it holds no secret and names the cause."""

    def __init__(self, kind: ProviderErrorKind, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.kind = kind
        self.code = kind.value.replace("_", "-")
        self.retry_after = retry_after

    @property
    def retryable(self) -> bool:
        """Whether the same call may succeed later without anybody changing anything."""
        return self.kind in RETRYABLE

    def as_record(self) -> dict[str, Any]:
        """The form stored with the operation and its step."""
        return {"code": self.code, "message": self.message, "retryable": self.retryable}


class EndedByItself(ProviderError):
    """The instance was started and ended before it served. Waiting mends that seldom, so attempts are counted."""

    def __init__(self, message: str) -> None:
        super().__init__(ProviderErrorKind.TRANSIENT, message)

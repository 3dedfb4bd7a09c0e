"""The parameters of single actions, checked: `force`, a suspension's terms, a maintenance's times."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from domain.errors import FieldError, InvalidInput
from domain.holds import HoldCause
from domain.lifecycle import Operation
from services.forms.bodies import Body
from services.forms.moments import Moment
from services.forms.validation import parsed
from services.operations.holds import Suspension
from services.requests.maintenance import Window

MAX_NOTE = 500


def _note(value: str) -> str:
    if not value.isprintable():
        raise ValueError("must be printable, on one line")
    return value


Note = Annotated[str, Field(min_length=1, max_length=MAX_NOTE), AfterValidator(_note)]


class ForceParams(Body):
    """Of stop and delete."""

    force: bool = False


class SuspendParams(Body):
    """Of suspend."""

    delete_after_days: float | None = Field(None, gt=0, le=3650, allow_inf_nan=False)
    note: Note | None = None


class MaintenanceParams(Body):
    """Of maintenance_on."""

    begins: Moment | None = Field(None, alias="from")
    until: Moment | None = None
    note: Note | None = None


class NoParams(Body):
    """Of every other action."""


@dataclass(frozen=True)
class Terms:
    """What the parameters of an action say."""

    force: bool = False
    suspension: Suspension | None = None
    window: Window = field(default_factory=Window)


def terms(operation: Operation | None, params: Mapping[str, Any] | None) -> Terms:
    """What `params` say for `operation`. Raises `InvalidInput` with pointers below `/params`."""
    given = dict(params or {})
    try:
        return _terms(operation, given)
    except InvalidInput as wrong:
        raise InvalidInput(*(FieldError(f"/params{e.pointer}", e.detail) for e in wrong.errors)) from None


def _terms(operation: Operation | None, given: Mapping[str, Any]) -> Terms:
    if operation in {Operation.STOP, Operation.DELETE}:
        return Terms(force=parsed(ForceParams, given).force)
    if operation is Operation.SUSPEND:
        wanted = parsed(SuspendParams, given)
        days = wanted.delete_after_days
        seconds = timedelta(days=days).total_seconds() if days is not None else None
        return Terms(suspension=Suspension(HoldCause.ADMIN, wanted.note, seconds))
    if operation is Operation.MAINTENANCE_ON:
        times = parsed(MaintenanceParams, given)
        return Terms(window=Window(times.begins, times.until, times.note))
    parsed(NoParams, given)
    return Terms()

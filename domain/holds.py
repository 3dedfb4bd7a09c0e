"""Suspension is a hold on a deployment: who may place one, who may lift it, and what it forbids while it stands.

Pure. Asked by the doors (`services.operations.holds`), by `domain.actions` for reasons, and by the keeper.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from domain.lifecycle import Status


class HoldCause(StrEnum):
    """Whose hold it is. Both can stand at once; each is lifted by its owner only."""

    BILLING = "billing"
    ADMIN = "admin"


AGAIN_SECONDS = 60.0
"""What billing wants and what failed is not tried again sooner: an operator may want to look."""

SUSPENDED_FROM = (Status.RUNNING, Status.STOPPED, Status.ERROR, Status.MAINTENANCE)

LIFTED_BY = {
    HoldCause.BILLING: "billing lifts it when a payment succeeds",
    HoldCause.ADMIN: "an administrator lifts it with unsuspend",
}


@dataclass(frozen=True)
class Standing:
    """One hold, as far as decisions need it."""

    cause: HoldCause
    by: str
    of: str | None = None
    """The suspended deployment, where this one is the database server that only that one uses."""
    paid: bool = False
    """It is billing's, and what was due is paid: only the unsuspension is still to come."""
    failed: str | None = None
    """Why the last try to lift it failed, until the next one begins."""


def lifted_by(hold: Standing) -> str:
    """Who lifts it, and when."""
    return still_held(hold.failed) if hold.paid else LIFTED_BY[hold.cause]


def still_held(failed: str | None) -> str:
    """Of billing's hold on what is paid. `failed`: as in `Standing`."""
    if failed is None:
        return "it is paid: Berth lifts billing's hold"
    return (
        f"it is paid: Berth lifts billing's hold and tries again every {AGAIN_SECONDS:.0f} s; "
        f"the last try failed: {failed}"
    )


def why_held(standing: Sequence[Standing]) -> str:
    """The words of a refusal: which hold stands, and who can lift it."""
    parts = [
        f"{hold.by} suspended {f'{hold.of}, whose database it holds' if hold.of else 'it'} ({hold.cause}); "
        f"{lifted_by(hold)}"
        for hold in standing
    ]
    return "; and ".join(parts)


@dataclass(frozen=True)
class Resumed:
    """What an instance is after its suspension, and whether its object runs then."""

    status: Status
    up: bool


def resumed(suspended_from: Status | None, before_maintenance: Status | None) -> Resumed:
    """What an instance goes back to. What was in error is started: lifting a hold is how that is tried again.

    `before_maintenance`: what it was when the maintenance began that still stands; None when none does.
    """
    if suspended_from is Status.STOPPED:
        return Resumed(Status.STOPPED, up=False)
    if suspended_from is Status.MAINTENANCE and before_maintenance is not None:
        return Resumed(Status.MAINTENANCE, up=before_maintenance is Status.RUNNING)
    return Resumed(Status.RUNNING, up=True)

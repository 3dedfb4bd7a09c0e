"""Words of tests about suspension, maintenance and billing on a `Spine`."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import select, update

from db.models import Hold, Instance, Maintenance, OperationRow
from db.session import Tx
from domain.holds import HoldCause
from domain.lifecycle import Status
from domain.operations import OperationStatus, Source
from domain.specs import Accepted, Ask, Caller
from services.operations.holds import Suspension
from services.requests import maintenance
from services.requests.maintenance import Window
from services.requests.suspension import suspend, unsuspend
from tests.support.spine import ME, Spine

BILLING = Ask(Caller("billing", source=Source.BILLING))


def asker(cause: HoldCause) -> Ask:
    return BILLING if cause is HoldCause.BILLING else ME


def suspended(spine: Spine, deployment_id: str, cause: HoldCause = HoldCause.ADMIN, **terms: Any) -> Accepted:
    wanted = Suspension(cause, **terms)
    return spine.write(lambda tx: suspend(tx, asker(cause), deployment_id, wanted))


def unsuspended(spine: Spine, deployment_id: str, cause: HoldCause = HoldCause.ADMIN) -> Accepted:
    return spine.write(lambda tx: unsuspend(tx, asker(cause), deployment_id, cause))


def begin_maintenance(
    spine: Spine, instance_id: str, begins: datetime | None = None, until: datetime | None = None
) -> Accepted:
    window = Window(begins, until, "new disk")
    return spine.write(lambda tx: maintenance.begin(tx, ME, instance_id, window))


def end_maintenance(spine: Spine, instance_id: str) -> Accepted:
    return spine.write(lambda tx: maintenance.end(tx, ME, instance_id))


def holds(spine: Spine, deployment_id: str) -> list[Hold]:
    return spine.rows(select(Hold).where(Hold.deployment_id == deployment_id).order_by(Hold.since))


def windows(spine: Spine, instance_id: str) -> list[Maintenance]:
    return spine.rows(select(Maintenance).where(Maintenance.instance_id == instance_id))


def settle(spine: Spine, accepted: Accepted, status: Status) -> None:
    """As the operation's run would end it, for tests without a worker."""

    def work(tx: Tx) -> None:
        tx.session.execute(
            update(OperationRow)
            .where(OperationRow.id == accepted.operation_id)
            .values(status=OperationStatus.SUCCEEDED, finished_at=tx.now, phase="done")
        )
        tx.session.execute(
            update(Instance).where(Instance.deployment_id == accepted.deployment_id).values(status=status)
        )

    spine.write(work)

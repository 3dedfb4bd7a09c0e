"""The generation of an instance's object: it rises only with the proof that the former object is gone for good.

Name and token of an object are made of it: a late answer about the former one can never mean its successor.
"""

from __future__ import annotations

from sqlalchemy import update

from db.models import Instance
from db.session import Tx
from domain.lifecycle import Operation
from domain.operations import OPERATION_DETAILS, Source
from domain.work import Identity
from services.operations.events import instance_event
from services.operations.fence import Owner, check_attempt
from services.operations.steps import hold


def raise_generation(tx: Tx, owner: Owner, gone: Identity, attempt: int | None = None) -> None:
    """The object `gone` is proven to be gone; the next one is another. A repeat changes nothing.

    `attempt`: of a create that goes on with the next one; None: a clean-up, also of a cancelled operation.
    Raises `FenceLost`, `AttemptOver` or `CallCancelled`.
    """
    held = hold(tx, owner, gone.instance_id, cancelled_too=attempt is None)
    if attempt is not None:
        check_attempt(held.step.attempts, attempt)
    version = tx.run(
        update(Instance)
        .where(Instance.id == gone.instance_id, Instance.object_generation == gone.generation)
        .values(
            object_generation=gone.generation + 1,
            cloud_instance_id=None,
            version=Instance.version + 1,
            updated_at=tx.now,
        )
        .returning(Instance.version)
    ).scalar()
    if version is None or attempt is None:
        return
    instance_event(
        tx,
        held.operation,
        gone.instance_id,
        "REPLACED",
        event=OPERATION_DETAILS[Operation(held.move.verb)].event,
        version=version,
        change=(held.row.status, held.row.status),
        source=Source.BACKEND,
        cloud_instance_id=held.row.cloud_instance_id,
        data={"name": held.row.name, "generation": gone.generation + 1},
    )

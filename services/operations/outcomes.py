"""Finish: one conditional move of the operation to its final status, and everything that follows from it.

Whoever comes second gets the recorded outcome and writes nothing. Rows are deleted only here, only after success.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import delete, func, select, update

from db.models import Deployment, Instance, OperationInstance, OperationRow
from db.session import CHANNEL_OPERATIONS, Tx, interval
from domain.errors import FenceLost
from domain.lifecycle import IN_PROGRESS, Ending, Operation, Status
from domain.operations import OPERATION_DETAILS, ConfirmationMethod, OperationStatus, Source
from domain.work import Seen
from services.operations.database_ends import kept_database, unfinished_database_step
from services.operations.events import instance_event
from services.operations.fence import Owner, lock_operation
from services.operations.holds import settle_holds, stopped_by_deadline
from services.operations.lives import end_life
from services.operations.planning import moves_with_rows
from services.operations.settlement import mark_error
from services.operations.shown_steps import close_steps

_STAYS_SUSPENDED = {Operation.SUSPEND, Operation.UNSUSPEND}
_SEEN_STATUS = {Seen.UP: Status.RUNNING, Seen.DOWN: Status.STOPPED}


def finish(
    tx: Tx,
    owner: Owner,
    verdict: OperationStatus,
    *,
    error: dict[str, Any] | None = None,
    looks: Mapping[str, str] | None = None,
    park_seconds: float = 0,
) -> dict[str, Any]:
    """Write the outcome under the fence; returns `{status, error, parked}` as recorded. Raises `FenceLost`."""
    operation, deployment = lock_operation(tx, owner.operation_id)
    if operation.status.done:
        return _recorded(operation)
    if deployment is None or operation.original_run_id != owner.original_run_id:
        raise FenceLost(f"operation {operation.id} is owned by another run")
    return conclude(tx, operation, deployment, verdict, error=error, looks=looks, park_seconds=park_seconds)


def _recorded(operation: OperationRow) -> dict[str, Any]:
    return {
        "status": operation.status.value,
        "error": operation.error,
        "parked": operation.parked_until is not None,
    }


def conclude(
    tx: Tx,
    operation: OperationRow,
    deployment: Deployment,
    verdict: OperationStatus,
    *,
    error: dict[str, Any] | None = None,
    looks: Mapping[str, str] | None = None,
    park_seconds: float = 0,
) -> dict[str, Any]:
    """Settle what is left of a running operation whose rows are locked: for Finish, the keeper, forget."""
    moves, rows = moves_with_rows(tx, operation.id)
    undone = unfinished_database_step(tx, operation, deployment)
    if moves and undone is None and all(_is_confirmed(m, rows) for m in moves):
        verdict, error = OperationStatus.SUCCEEDED, None  # a cancel or a lost run came too late to change anything
    elif moves and verdict is OperationStatus.SUCCEEDED:
        verdict = OperationStatus.FAILED
        error = {"code": "internal", "message": "The run ended without confirming every instance."}
    kept = kept_database(tx, deployment) if verdict is not OperationStatus.SUCCEEDED else []
    if verdict is OperationStatus.SUCCEEDED:
        _remove_deleted(tx, operation, deployment, moves, rows)
    elif verdict is OperationStatus.FAILED:
        error = _failed(tx, operation, moves, rows, error)
    else:
        error = error or _overdue(operation)
        _cancelled(tx, operation, moves, rows, looks or {}, error, kept)
        if error is not None and error["code"] == "timed-out":
            verdict = OperationStatus.FAILED
    settle_holds(tx, operation, deployment, verdict)
    if error is not None and kept:
        error = {**error, "kept": sorted({*error.get("kept", ()), *kept})}
    close_steps(tx, operation, succeeded=verdict is OperationStatus.SUCCEEDED)
    parked = verdict is OperationStatus.FAILED and park_seconds > 0
    tx.run(
        update(OperationRow)
        .where(OperationRow.id == operation.id)
        .values(
            status=verdict,
            phase="awaiting_operator" if parked else "done",
            error=error,
            finished_at=tx.now,
            parked_until=tx.now + interval(park_seconds) if parked else None,
        )
    )
    if operation.pre_empted_by is not None:
        tx.wake(CHANNEL_OPERATIONS, operation.pre_empted_by)
    instance_event(
        tx, operation, None, verdict.value.upper(), event="OPERATION", source=Source.BERTH, data={"error": error}
    )
    return {"status": verdict.value, "error": error, "parked": parked}


def _is_confirmed(move: OperationInstance, rows: Mapping[str, Instance]) -> bool:
    """Also what a delete found gone: what it pre-empted had removed it before it heard of the cancel."""
    return move.outcome == "confirmed" or (move.verb == Operation.DELETE and move.instance_id not in rows)


def _remove_deleted(
    tx: Tx,
    operation: OperationRow,
    deployment: Deployment,
    moves: Sequence[OperationInstance],
    rows: Mapping[str, Instance],
) -> None:
    """Rows of deleted instances go, with their secrets and ports; their finished lives stay."""
    gone = [rows[m.instance_id] for m in moves if m.verb == Operation.DELETE and m.instance_id in rows]
    for row in gone:
        end_life(tx, operation, row)
    if gone and tx.session.scalar(select(func.count()).where(Instance.deployment_id == deployment.id)) == 0:
        tx.session.expunge(deployment)
        tx.session.execute(delete(Deployment).where(Deployment.id == deployment.id))


def _failed(
    tx: Tx,
    operation: OperationRow,
    moves: Sequence[OperationInstance],
    rows: Mapping[str, Instance],
    error: dict[str, Any] | None,
) -> dict[str, Any]:
    """Nothing stays in progress, no row is deleted; returns the operation's error."""
    failures = [m.error for m in moves if m.error is not None]
    cause = error or (failures[0] if failures else {"code": "internal", "message": "the operation ended early"})
    for move in moves:
        row = rows.get(move.instance_id)
        if row is None or row.operation_id != operation.id or row.status not in IN_PROGRESS:
            continue
        mark_error(tx, operation, move, row, _left_over(move, cause, attempted=bool(error)))
    merged = {"step": None, "retryable": True, "kept": [], "cleaned": []} | dict(cause)
    for failure in failures:
        merged["kept"] = sorted({*merged["kept"], *failure.get("kept", [])})
        merged["cleaned"] = sorted({*merged["cleaned"], *failure.get("cleaned", [])})
    return merged


def _left_over(move: OperationInstance, cause: Mapping[str, Any], *, attempted: bool) -> dict[str, Any]:
    """What an instance is told whose own step did not fail but did not settle either."""
    if move.outcome == "confirmed":
        why = (
            f"its database was not released ({move.error['message']})"
            if move.error
            else "the operation ended early"
        )
        return {
            "code": "delete-unfinished",
            "message": f"{move.instance_name} is gone at its provider, but {why}; "
            "a retry or another delete removes the record.",
        }
    if attempted:
        return {"code": cause["code"], "message": cause["message"]}
    return {
        "code": "not-attempted",
        "message": f"Not attempted: the operation failed before {move.instance_name}'s turn ({cause['message']}).",
    }


def _cancelled(
    tx: Tx,
    operation: OperationRow,
    moves: Sequence[OperationInstance],
    rows: Mapping[str, Instance],
    looks: Mapping[str, str],
    error: dict[str, Any] | None,
    kept: Sequence[str],
) -> None:
    """Each touched instance is what one look says of it, or `error` where there is no answer."""
    for move in moves:
        row = rows.get(move.instance_id)
        if row is None or row.operation_id != operation.id or row.status not in IN_PROGRESS:
            continue
        seen = looks.get(move.instance_id)
        end = _SEEN_STATUS.get(Seen(seen)) if seen else None
        if move.verb == Operation.SUSPEND and error is not None and operation.pre_empted_by is None:
            end = None  # it was not asked to end: the hold stands, and nobody may take it for running
        if move.cancelled == Ending.AS_OBSERVED and end is not None:
            _set_cancelled(tx, operation, move, row, end)
            continue
        if move.verb in _STAYS_SUSPENDED and move.cancelled == Status.SUSPENDED:
            _set_cancelled(tx, operation, move, row, Status.SUSPENDED)
            continue
        mark_error(tx, operation, move, row, error or _cancel_cause(move, seen, kept), what="CANCELLED")


def _overdue(operation: OperationRow) -> dict[str, Any] | None:
    """Nobody asked for this cancel but the deadline: the operation has failed, and a retry may help."""
    if operation.pre_empted_by is not None or not stopped_by_deadline(operation):
        return None
    message = f"The {operation.kind} was not done by its deadline and was stopped."
    return {"code": "timed-out", "message": message, "step": None, "retryable": True, "kept": [], "cleaned": []}


def _cancel_cause(move: OperationInstance, seen: str | None, kept: Sequence[str]) -> dict[str, Any]:
    if move.outcome == "confirmed":
        return _left_over(move, {}, attempted=True)
    if move.verb == Operation.CREATE:
        message = "The create was cancelled; what it had made was removed."
        if kept:
            message += f" Kept for a retry: {'; '.join(kept)}."
        return {"code": "cancelled", "message": message}
    known = seen if seen != Seen.NO_EVIDENCE else None
    found = f"the provider says {known}" if known else "the provider gave no answer"
    return {"code": "cancelled", "message": f"The {move.verb} was cancelled and {found}."}


def _set_cancelled(tx: Tx, operation: OperationRow, move: OperationInstance, row: Instance, end: Status) -> None:
    before = row.status
    version = tx.session.scalar(
        update(Instance)
        .where(Instance.id == row.id)
        .values(status=end, version=Instance.version + 1, updated_at=tx.now)
        .returning(Instance.version)
    )
    instance_event(
        tx,
        operation,
        row.id,
        "CANCELLED",
        event=OPERATION_DETAILS[Operation(move.verb)].event,
        version=version,
        change=(before, end),
        source=Source.BACKEND,
        confirmation_method=ConfirmationMethod.PROVIDER_POLL,
        cloud_instance_id=row.cloud_instance_id,
        data={"name": row.name},
    )


def end_unstarted(tx: Tx, operation_id: str, why: str) -> None:
    """End a pending operation that no run has planned: nothing was touched; new rows become `error`."""
    operation, deployment = lock_operation(tx, operation_id)
    if operation.status is not OperationStatus.PENDING or deployment is None:
        return
    error = {"code": "cancelled", "message": f"Never begun: {why}."}
    conclude(tx, operation, deployment, OperationStatus.CANCELLED, error=error)


def end_lost(tx: Tx, operation_id: str, error: dict[str, Any]) -> bool:
    """Fail a running operation whose run is gone; False when it has ended meanwhile. Called by the keeper."""
    operation, deployment = lock_operation(tx, operation_id)
    if operation.status is not OperationStatus.RUNNING or deployment is None:
        return False
    verdict = OperationStatus.CANCELLED if operation.pre_empted_by else OperationStatus.FAILED
    conclude(tx, operation, deployment, verdict, error=error)
    return True


def end_listening(tx: Tx, operation_id: str, *, phase: str = "done") -> bool:
    """The listener of a failed operation has closed (`closing`: is to be told so); False when it had already."""
    changed = tx.session.execute(
        update(OperationRow)
        .where(OperationRow.id == operation_id, OperationRow.parked_until.is_not(None))
        .values(parked_until=None, phase=phase)
        .returning(OperationRow.id)
    ).one_or_none()
    return changed is not None

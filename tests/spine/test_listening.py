"""After a failure the lock is free and the run only listens: for retry and abort, until it expires."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import select, update

from db.models import Instance, OperationRow
from domain.lifecycle import Operation, Status
from domain.operations import OperationStatus
from providers.simulated_faults import FOR_EVER
from tests.support.spine import Spine
from tests.support.spines import MakeSpine
from tests.support.workers import wait_for

pytestmark = pytest.mark.servers


def fail_a_create(spine: Spine) -> OperationRow:
    return spine.failed(spine.create(simulate={"create": {"fault": "invalid"}}))


def signal(spine: Spine, operation: OperationRow, name: str, *given: object) -> None:
    words = ["--workflow-id", operation.workflow_id, "--name", name]
    words += ["--input", json.dumps(given[0])] if given else []
    spine.temporal.cli(spine.namespace, "workflow", "signal", *words)


def run_status(spine: Spine, operation: OperationRow) -> str:
    words = ["--workflow-id", operation.workflow_id, "--run-id", operation.run_id or "", "--output", "json"]
    shown = json.loads(spine.temporal.cli(spine.namespace, "workflow", "describe", *words))
    return str(shown["workflowExecutionInfo"]["status"]).removeprefix("WORKFLOW_EXECUTION_STATUS_")


def history(spine: Spine, operation: OperationRow) -> str:
    words = ["--workflow-id", operation.workflow_id, "--run-id", operation.run_id or "", "--output", "json"]
    return spine.temporal.cli(spine.namespace, "workflow", "show", *words)


def closes_as_failed(spine: Spine, operation: OperationRow) -> None:
    """The records come first; the run closes a moment later."""
    wait_for(lambda: run_status(spine, operation) == "FAILED", 30, "the run did not close")


def repeats(spine: Spine, operation: OperationRow) -> list[str]:
    return spine.rows(select(OperationRow.id).where(OperationRow.retry_of == operation.id))


def stops_listening(spine: Spine, operation: OperationRow) -> None:
    closed = spine.wait_operation(operation.id, lambda row: row.parked_until is None)
    assert (closed.status, closed.phase) == (OperationStatus.FAILED, "done")


def test_the_lock_is_free_while_it_listens(spine: Spine) -> None:
    failed = fail_a_create(spine)
    assert failed.phase == "awaiting_operator"
    assert run_status(spine, failed) == "RUNNING"
    done = spine.succeeded(spine.retry(failed.id))
    assert done.retry_of == failed.id
    stops_listening(spine, failed)
    closes_as_failed(spine, failed)


def test_a_retry_signal_accepts_a_new_operation_and_the_run_closes(spine: Spine) -> None:
    failed = fail_a_create(spine)
    signal(spine, failed, "retry")
    done = spine.succeeded(spine.retry_of(failed.id))
    assert (done.actor, done.attempt) == ("temporal (unauthenticated)", 2)
    stops_listening(spine, failed)
    assert spine.instance(failed.deployment_id).status is Status.RUNNING


def test_two_retry_signals_are_one_retry(spine: Spine) -> None:
    failed = fail_a_create(spine)
    signal(spine, failed, "retry", failed.id)
    again = spine.retry_of(failed.id)
    spine.succeeded(again)
    assert repeats(spine, failed) == [again]


def test_a_signal_for_another_operation_is_not_heard(spine: Spine) -> None:
    failed = fail_a_create(spine)
    for name in ("retry", "abort"):
        signal(spine, failed, name, "op_of_somebody_else")
    signal(spine, failed, "confirm", {"operation_id": failed.id, "instance_id": failed.instance_ids[0]})
    still = spine.operation(failed.id)
    assert still.parked_until is not None
    assert run_status(spine, failed) == "RUNNING"
    signal(spine, failed, "abort", failed.id)
    stops_listening(spine, failed)


def test_signals_that_come_before_it_listens_are_not_kept_for_later(spine: Spine) -> None:
    name = spine.new_name()
    spine.fault("create", "error", FOR_EVER, instance=name)
    made = spine.create(name)
    spine.wait_call(made.deployment_id, "create")
    for word in ("retry", "abort"):
        signal(spine, spine.operation(made.operation_id), word)
    spine.fault("create", "invalid", FOR_EVER, instance=name)
    failed = spine.failed(made)
    assert failed.parked_until is not None
    assert repeats(spine, failed) == []
    signal(spine, failed, "abort")
    stops_listening(spine, failed)


def test_abort_closes_the_run_and_a_retry_is_still_possible(spine: Spine) -> None:
    failed = fail_a_create(spine)
    signal(spine, failed, "abort")
    stops_listening(spine, failed)
    closes_as_failed(spine, failed)
    spine.succeeded(spine.retry(failed.id))


def test_listening_ends_by_itself_and_with_zero_it_never_begins(make_spine: MakeSpine) -> None:
    spine = make_spine(BERTH_PARK_SECONDS="0.7")
    worker = spine.start_worker()
    failed = fail_a_create(spine)
    stops_listening(spine, failed)
    closes_as_failed(spine, failed)
    assert "TIMER_FIRED" in history(spine, failed), "it has waited"
    worker.stop()
    spine.settings["BERTH_PARK_SECONDS"] = "0"
    spine.start_worker()
    failed = fail_a_create(spine)
    assert (failed.parked_until, failed.phase) == (None, "done")
    assert "TIMER" not in history(spine, failed)
    spine.invariants()


def test_a_listener_that_was_terminated_is_closed_by_the_next_operation(spine: Spine) -> None:
    failed = fail_a_create(spine)
    spine.temporal.cli(spine.namespace, "workflow", "terminate", "--workflow-id", failed.workflow_id)
    spine.succeeded(spine.retry(failed.id))
    stops_listening(spine, failed)


def test_a_retry_signal_is_refused_when_there_is_nothing_left_to_retry(spine: Spine) -> None:
    """It goes on listening: an operator may still abort it."""
    made = spine.create_done(members=2)
    second = spine.instances(made.deployment_id)[1]
    spine.fault("restart", "invalid", instance=second.id)
    failed = spine.failed(spine.act(Operation.RESTART, made.deployment_id, second.id))
    healed = {"status": Status.RUNNING, "error_code": None, "error_message": None, "error_origin": None}
    spine.write(lambda tx: tx.session.execute(update(Instance).where(Instance.id == second.id).values(healed)))
    signal(spine, failed, "retry")
    signal(spine, failed, "abort")
    stops_listening(spine, failed)
    assert repeats(spine, failed) == []

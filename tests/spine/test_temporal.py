"""What operators do with Temporal's own tools: terminate and reset, of open, closed and foreign runs."""

from __future__ import annotations

import json

import pytest

from db.models import OperationRow
from domain.lifecycle import Operation, Status
from domain.operations import OperationStatus
from domain.specs import Accepted
from providers.simulated_faults import FOR_EVER
from tests.support.spine import NEVER, Spine
from tests.support.workers import wait_for

pytestmark = pytest.mark.servers


def workflow(spine: Spine, *words: str) -> str:
    return spine.temporal.cli(spine.namespace, "workflow", *words)


def terminate(spine: Spine, operation: OperationRow) -> None:
    workflow(spine, "terminate", "--workflow-id", operation.workflow_id, "--reason", "a test")


def reset(spine: Spine, operation: OperationRow) -> None:
    """To the first workflow task, as the UI offers it first."""
    words = ["--workflow-id", operation.workflow_id, "--run-id", operation.run_id or "", "--event-id", "3"]
    workflow(spine, "reset", *words, "--reason", "a test")


def listed(spine: Spine, query: str) -> bool:
    return bool(json.loads(workflow(spine, "list", "--query", query, "-o", "json")))


def open_runs(spine: Spine, operation: OperationRow) -> list[str]:
    query = f"WorkflowId='{operation.workflow_id}' AND ExecutionStatus='Running'"
    return [
        run["execution"]["runId"] for run in json.loads(workflow(spine, "list", "--query", query, "-o", "json"))
    ]


def begun(spine: Spine, accepted: Accepted, verb: str, times: int = 1) -> OperationRow:
    spine.wait_call(accepted.deployment_id, verb, times)
    return spine.wait_operation(accepted, lambda row: row.run_id is not None)


@pytest.mark.parametrize("fault", ["hang", "slow", "unconfirmed"])
def test_a_terminated_create_becomes_error_and_a_retry_finishes_it_with_one_object(
    spine: Spine, fault: str
) -> None:
    made = spine.create(simulate={"create": {"fault": fault, "seconds": NEVER}})
    terminate(spine, begun(spine, made, "create"))
    failed = spine.failed(made, seconds=30)
    assert failed.error is not None
    assert failed.error["code"] == "run-lost"
    assert "was terminated before it could finish" in failed.error["message"]
    row = spine.instance(made.deployment_id)
    assert (row.status, row.error_code) == (Status.ERROR, "run-lost")
    assert len(spine.inventory(made.deployment_id)) <= 1
    again = spine.retry(failed.id)
    spine.settles(made.deployment_id)
    spine.succeeded(again)
    assert len(spine.inventory(made.deployment_id)) == 1


def test_a_terminated_action_becomes_error_and_a_retry_finishes_it(spine: Spine) -> None:
    made = spine.create_done(members=2)
    second = spine.instances(made.deployment_id)[1]
    spine.fault("stop", "hang", instance=second.id)
    asked = spine.act(Operation.STOP, made.deployment_id)
    spine.wait_operation(asked, lambda row: "STOP_CONFIRMED" in spine.event_types(row.id))
    terminate(spine, begun(spine, asked, "stop", 2))
    failed = spine.failed(asked, seconds=30)
    assert [r.status for r in spine.instances(made.deployment_id)] == [Status.STOPPED, Status.ERROR]
    spine.succeeded(spine.retry(failed.id))
    assert [r.status for r in spine.instances(made.deployment_id)] == [Status.STOPPED, Status.STOPPED]


def test_a_terminated_delete_becomes_error_and_a_retry_finishes_it(spine: Spine) -> None:
    made = spine.create_done()
    spine.fault("delete", "hang", instance=spine.instance(made.deployment_id).id)
    asked = spine.delete(made.deployment_id)
    terminate(spine, begun(spine, asked, "delete"))
    failed = spine.failed(asked, seconds=30)
    assert spine.instance(made.deployment_id).status is Status.ERROR
    spine.succeeded(spine.retry(failed.id))
    assert spine.instances(made.deployment_id) == []


@pytest.mark.parametrize("fault", ["slow", "error_after_success", "unconfirmed"])
def test_a_reset_in_the_middle_of_a_create_makes_no_second_object(spine: Spine, fault: str) -> None:
    made = spine.create(simulate={"create": {"fault": fault, "seconds": 1.5}})
    reset(spine, begun(spine, made, "create"))
    done = spine.succeeded(made, seconds=30)
    assert len(spine.inventory(made.deployment_id)) == 1
    assert spine.event_types(done.id).count("LAUNCH_CONFIRMED") == 1
    assert spine.event_types(done.id).count("LAUNCH_PLANNED") == 1


def test_a_reset_of_a_finished_operation_touches_nothing(spine: Spine) -> None:
    made = spine.create_done()
    spine.succeeded(spine.act(Operation.STOP, made.deployment_id))
    create = spine.operation(made.operation_id)
    before = spine.instance(made.deployment_id)
    calls = spine.calls(before.id)
    reset(spine, create)
    wait_for(lambda: not open_runs(spine, create), 10, "the reset run did not end")
    after = spine.instance(made.deployment_id)
    assert (after.version, after.status) == (before.version, Status.STOPPED)
    assert spine.calls(before.id) == calls
    assert spine.operation(create.id).finished_at == create.finished_at
    spine.succeeded(spine.act(Operation.START, made.deployment_id))


def test_a_reset_of_what_listens_after_a_failure_leaves_the_retry_possible(spine: Spine) -> None:
    failed = spine.failed(spine.create(simulate={"create": {"fault": "invalid"}}))
    reset(spine, failed)
    wait_for(lambda: not open_runs(spine, failed), 10, "the reset run did not end")
    spine.succeeded(spine.retry(failed.id))


def test_a_reset_of_an_older_run_kills_the_newer_one_and_nothing_is_stuck(spine: Spine) -> None:
    """Temporal terminates whatever run is current: that is somebody else's operation."""
    made = spine.create_done()
    row = spine.instance(made.deployment_id)
    spine.fault("stop", "hang", FOR_EVER, instance=row.id)
    stop = spine.act(Operation.STOP, made.deployment_id)
    begun(spine, stop, "stop")
    reset(spine, spine.operation(made.operation_id))
    failed = spine.failed(stop, seconds=30)
    assert failed.error is not None
    assert failed.error["code"] == "run-lost"
    spine.provider.clear_faults()
    spine.succeeded(spine.retry(failed.id))
    assert spine.instance(made.deployment_id).status is Status.STOPPED


def test_a_workflow_that_nobody_accepted_ends_before_it_touches_anything(spine: Spine) -> None:
    given = json.dumps({"operation_id": "op_nobody", "kind": "create"})
    words = ["--type", "CreateWorkflow", "--task-queue", "berth", "--workflow-id", "deployment-forged"]
    workflow(spine, "start", *words, "--input", given)
    query = "WorkflowId='deployment-forged' AND ExecutionStatus='Failed'"
    wait_for(
        lambda: json.loads(workflow(spine, "list", "--query", query, "-o", "json")) != [], 10, "it did not end"
    )


def test_a_second_run_of_an_operation_in_flight_is_turned_away(spine: Spine) -> None:
    made = spine.create(simulate={"create": {"fault": "unconfirmed", "seconds": NEVER}})
    begun(spine, made, "create")
    given = json.dumps({"operation_id": made.operation_id, "kind": "create"})
    words = ["--type", "CreateWorkflow", "--task-queue", "berth", "--workflow-id", "a-copy"]
    workflow(spine, "start", *words, "--input", given)
    query = "WorkflowId='a-copy' AND ExecutionStatus='Failed'"
    wait_for(
        lambda: json.loads(workflow(spine, "list", "--query", query, "-o", "json")) != [], 10, "it did not end"
    )
    assert spine.operation(made.operation_id).status is OperationStatus.RUNNING
    spine.wait_operation(made, lambda row: "LAUNCH_ACCEPTED" in spine.event_types(row.id))
    spine.settles(made.deployment_id)
    spine.succeeded(made)
    assert spine.calls(spine.instance(made.deployment_id).id)["create"] == 1


def test_operators_find_operations_by_their_search_attributes(spine: Spine) -> None:
    failed = spine.failed(spine.create(simulate={"create": {"fault": "invalid"}}))
    query = f"OpPhase='awaiting_operator' AND OpId='{failed.id}' AND Provider='simulated' AND OpKind='create'"
    wait_for(
        lambda: len(json.loads(workflow(spine, "list", "--query", query, "-o", "json"))) == 1, 10, "not listed"
    )
    shown = json.loads(workflow(spine, "describe", "--workflow-id", failed.workflow_id, "-o", "json"))
    assert shown["workflowExecutionInfo"]["type"]["name"] == "CreateWorkflow"
    summary = json.dumps(shown["executionConfig"])
    assert failed.deployment_name in summary or "userMetadata" in summary

"""For every activity that workflows use: an operation in which it runs, and how that operation must end.

A scenario is a generator: what it needs is made before its `yield`, where the fault is armed; afterwards the
operation runs into the fault and ends as it was asked.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

from domain.lifecycle import Operation, Status
from domain.specs import Accepted
from tests.support.allocations import DEDICATED, allocation, operations_of, server
from tests.support.holds import holds, suspended, unsuspended
from tests.support.spine import NEVER, Spine
from tests.support.workers import wait_for

Scenario = Callable[[Spine], Iterator[None]]
SECONDS = 60.0


def signal(spine: Spine, accepted: Accepted, name: str, given: object = None) -> None:
    words = ["--workflow-id", spine.operation(accepted.operation_id).workflow_id, "--name", name]
    words += ["--input", json.dumps(given)] if given is not None else []
    spine.temporal.cli(spine.namespace, "workflow", "signal", *words)


def create(spine: Spine) -> Iterator[None]:
    yield
    made = spine.create(members=2)
    spine.succeeded(made, SECONDS)
    assert {row.status for row in spine.instances(made.deployment_id)} == {Status.RUNNING}


def action(operation: Operation, end: Status) -> Scenario:
    def act(spine: Spine) -> Iterator[None]:
        made = spine.create_done()
        if operation is Operation.START:
            spine.succeeded(spine.act(Operation.STOP, made.deployment_id))
        yield
        spine.succeeded(spine.act(operation, made.deployment_id), SECONDS)
        assert spine.instance(made.deployment_id).status is end

    return act


def suspend(spine: Spine) -> Iterator[None]:
    made = spine.create_done()
    yield
    spine.succeeded(suspended(spine, made.deployment_id), SECONDS)
    assert spine.instance(made.deployment_id).status is Status.SUSPENDED
    assert spine.inventory(made.deployment_id)[0].state == "stopped"
    assert [hold.lifting for hold in holds(spine, made.deployment_id)] == [None]


def unsuspend(spine: Spine) -> Iterator[None]:
    made = spine.create_done()
    spine.succeeded(suspended(spine, made.deployment_id))
    yield
    spine.succeeded(unsuspended(spine, made.deployment_id), SECONDS)
    assert spine.instance(made.deployment_id).status is Status.RUNNING
    assert holds(spine, made.deployment_id) == []


def modify(spine: Spine) -> Iterator[None]:
    made = spine.create_done(members=2, greeting="one")
    yield
    spine.succeeded(spine.modify(made.deployment_id, members=2, greeting="two"), SECONDS)
    changed = {"params": {"greeting": "two"}, "resources": {}}
    assert all(row.applied_spec == changed for row in spine.instances(made.deployment_id))


def delete(spine: Spine) -> Iterator[None]:
    made = spine.create_done(members=2)
    yield
    spine.succeeded(spine.delete(made.deployment_id), SECONDS)
    assert spine.instances(made.deployment_id) == []
    assert len(spine.runs(made.deployment_id)) == 2


def confirm(spine: Spine) -> Iterator[None]:
    yield
    made = spine.create(simulate={"create": {"fault": "unconfirmed", "seconds": 0.7}})
    spine.succeeded(made, SECONDS)
    assert spine.event_types(made.operation_id).count("LAUNCH_CONFIRMED") == 1


def failed_create(spine: Spine) -> Iterator[None]:
    yield
    made = spine.create(simulate={"create": {"fault": "invalid"}})
    failed = spine.failed(made, SECONDS)
    assert failed.error is not None
    assert failed.error["code"] == "invalid"
    assert spine.inventory(made.deployment_id) == []
    spine.succeeded(spine.retry(failed.id), SECONDS)


def cancelled_stop(spine: Spine) -> Iterator[None]:
    made = spine.create_done()
    spine.fault("stop", "hang", instance=spine.instance(made.deployment_id).id)
    yield
    asked = spine.act(Operation.STOP, made.deployment_id)
    spine.wait_call(made.deployment_id, "stop")
    spine.cancel(asked.operation_id)
    spine.cancelled(asked, SECONDS)
    assert spine.instance(made.deployment_id).status is Status.RUNNING


def retried_by_signal(spine: Spine) -> Iterator[None]:
    made = spine.create(simulate={"create": {"fault": "invalid"}})
    failed = spine.failed(made)
    yield
    signal(spine, made, "retry")
    spine.succeeded(spine.retry_of(failed.id, SECONDS), SECONDS)
    assert spine.instance(made.deployment_id).status is Status.RUNNING


def aborted(spine: Spine) -> Iterator[None]:
    made = spine.create(simulate={"create": {"fault": "invalid"}})
    spine.failed(made)
    yield
    signal(spine, made, "abort")
    spine.wait_operation(made, lambda row: row.parked_until is None, SECONDS)


def confirmed_by_signal(spine: Spine) -> Iterator[None]:
    yield
    made = spine.create(simulate={"create": {"fault": "unconfirmed", "seconds": NEVER}})
    spine.wait_operation(made, lambda row: "LAUNCH_ACCEPTED" in spine.event_types(row.id), SECONDS)
    row = spine.instance(made.deployment_id)
    claim = {"operation_id": made.operation_id, "instance_id": row.id, "kind": "launched", "generation": 1}
    signal(spine, made, "confirm", claim)
    wait_for((spine.folder / "fault.fired").exists, SECONDS, "the signal was not heard")
    spine.settles(made.deployment_id)
    spine.succeeded(made, SECONDS)


def allocate(spine: Spine) -> Iterator[None]:
    yield
    made = spine.create(database=DEDICATED)
    spine.succeeded(made, SECONDS)
    beside = server(spine, made)
    assert [operation.kind for operation in operations_of(spine, beside.name)] == [Operation.CREATE]
    assert beside.id == spine.instance(made.deployment_id).db_server_id


def release(spine: Spine) -> Iterator[None]:
    made = spine.create_done(database=DEDICATED)
    beside = server(spine, made)
    yield
    spine.succeeded(spine.delete(made.deployment_id), SECONDS)
    assert allocation(spine, made) is None
    assert spine.instances(beside.deployment_id) == []


SCENARIOS: dict[str, Scenario] = {
    "plan_operation": create,
    "finish_operation": create,
    "create_instance": create,
    "start_instance": action(Operation.START, Status.RUNNING),
    "stop_instance": action(Operation.STOP, Status.STOPPED),
    "restart_instance": action(Operation.RESTART, Status.RUNNING),
    "modify_instance": modify,
    "suspend_instance": suspend,
    "unsuspend_instance": unsuspend,
    "delete_instance": delete,
    "confirm_instance": confirm,
    "clean_up_instance": failed_create,
    "fail_step": failed_create,
    "look_at_instance": cancelled_stop,
    "allocate_database": allocate,
    "release_database": release,
    "accept_retry": retried_by_signal,
    "stop_listening": aborted,
    "record_confirmation": confirmed_by_signal,
}
TRANSACTIONS = {
    "create_instance": 3,
    "start_instance": 3,
    "stop_instance": 3,
    "restart_instance": 3,
    "modify_instance": 3,
    "suspend_instance": 3,
    "unsuspend_instance": 3,
    "delete_instance": 3,
    "confirm_instance": 3,
    "clean_up_instance": 2,
    "allocate_database": 3,
    "release_database": 3,
}
"""In how many transactions of an activity it can be killed: begin, guard, settle. The others have one."""

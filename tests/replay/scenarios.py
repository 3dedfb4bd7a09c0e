"""Lives of operations whose histories are kept: every way through `workflows.driver`, named by what happens.

Each scenario drives a Berth with a worker and returns the operations whose runs are to be saved.
"""

from __future__ import annotations

import json
from collections.abc import Callable

from domain.lifecycle import Operation
from domain.specs import Accepted
from tests.support.holds import suspended, unsuspended
from tests.support.spine import Spine
from tests.support.workers import wait_for

Scenario = Callable[[Spine], list[str]]
SCENARIOS: dict[str, Scenario] = {}


def scenario(play: Scenario) -> Scenario:
    """Register a scenario under its function's name."""
    SCENARIOS[play.__name__] = play
    return play


def _ids(*accepted: Accepted) -> list[str]:
    return [a.operation_id for a in accepted]


def _signal(spine: Spine, operation_id: str, name: str, *given: object) -> None:
    words = [word for value in given for word in ("--input", json.dumps(value))]
    workflow_id = spine.operation(operation_id).workflow_id
    spine.temporal.cli(spine.namespace, "workflow", "signal", "--workflow-id", workflow_id, "--name", name, *words)


def _listens(spine: Spine, operation_id: str) -> None:
    wait_for(lambda: spine.operation(operation_id).parked_until is not None, 15, "it does not listen")


@scenario
def every_operation_succeeds(spine: Spine) -> list[str]:
    """The short way, once for each type."""
    made = spine.create_done()
    done = [made]
    for operation in (Operation.STOP, Operation.START, Operation.RESTART):
        done.append(spine.act(operation, made.deployment_id))
        spine.succeeded(done[-1])
    done.append(spine.modify(made.deployment_id, params={"greeting": "hello"}))
    spine.succeeded(done[-1])
    done.append(spine.delete(made.deployment_id))
    spine.succeeded(done[-1])
    return _ids(*done)


@scenario
def members_grow_roll_and_shrink(spine: Spine) -> list[str]:
    """Several members in a phase, phases after one another, a rolling change."""
    made = spine.create_done(members=2)
    more = spine.modify(made.deployment_id, members=3, params={"greeting": "one by one"})
    spine.succeeded(more)
    fewer = spine.modify(made.deployment_id, members=1, params={"greeting": "one by one"})
    spine.succeeded(fewer)
    return _ids(made, more, fewer)


@scenario
def an_attempt_fails_and_the_next_succeeds(spine: Spine) -> list[str]:
    """Temporal retries the activity."""
    made = spine.create(simulate={"create": {"fault": "error"}})
    spine.succeeded(made)
    return _ids(made)


@scenario
def a_failure_is_retried_by_signal(spine: Spine) -> list[str]:
    """Fail, clean up, listen, accept the retry, close."""
    made = spine.create(simulate={"create": {"fault": "invalid"}})
    spine.failed(made)
    _listens(spine, made.operation_id)
    _signal(spine, made.operation_id, "retry")
    again = spine.retry_of(made.operation_id)
    spine.succeeded(again)
    return [made.operation_id, again]


@scenario
def a_failure_is_aborted_by_signal(spine: Spine) -> list[str]:
    """Fail, listen, stop listening."""
    made = spine.create(simulate={"create": {"fault": "invalid"}})
    spine.failed(made)
    _listens(spine, made.operation_id)
    _signal(spine, made.operation_id, "abort")
    wait_for(lambda: spine.operation(made.operation_id).parked_until is None, 15, "it still listens")
    return _ids(made)


@scenario
def one_member_fails_and_its_sibling_does_not(spine: Spine) -> list[str]:
    """A failing instance does not interrupt its phase."""
    made = spine.create_done(members=2)
    first, _ = spine.instances(made.deployment_id)
    spine.fault("stop", "invalid", instance=first.id)
    stop = spine.act(Operation.STOP, made.deployment_id)
    spine.failed(stop)
    _listens(spine, stop.operation_id)
    _signal(spine, stop.operation_id, "abort")
    wait_for(lambda: spine.operation(stop.operation_id).parked_until is None, 15, "it still listens")
    return _ids(stop)


@scenario
def a_hanging_create_is_cancelled(spine: Spine) -> list[str]:
    """Cancel while acting: the compute is removed."""
    made = spine.create(simulate={"create": {"fault": "hang", "seconds": 60}})
    spine.wait_call(made.deployment_id, "create")
    spine.cancel(made.operation_id)
    spine.cancelled(made)
    return _ids(made)


@scenario
def a_hanging_stop_is_cancelled(spine: Spine) -> list[str]:
    """Cancel while acting: one look says what is there."""
    made = spine.create_done()
    spine.fault("stop", "hang", instance=spine.instance(made.deployment_id).id)
    stop = spine.act(Operation.STOP, made.deployment_id)
    spine.wait_call(made.deployment_id, "stop")
    spine.cancel(stop.operation_id)
    spine.cancelled(stop)
    return _ids(stop)


@scenario
def a_create_is_cancelled_while_it_waits_for_its_confirmation(spine: Spine) -> list[str]:
    """Cancel while confirming."""
    made = spine.create(simulate={"create": {"fault": "unconfirmed", "seconds": 60}})
    spine.wait_operation(made, lambda row: "LAUNCH_ACCEPTED" in spine.event_types(row.id))
    spine.cancel(made.operation_id)
    spine.cancelled(made)
    return _ids(made)


@scenario
def a_confirmation_arrives_as_a_signal(spine: Spine) -> list[str]:
    """The claim is stored, the poll verifies it."""
    made = spine.create(simulate={"create": {"fault": "unconfirmed", "seconds": 1}})
    spine.wait_operation(made, lambda row: "LAUNCH_ACCEPTED" in spine.event_types(row.id))
    claim = {
        "operation_id": made.operation_id,
        "instance_id": spine.instance(made.deployment_id).id,
        "kind": "launched",
        "generation": 1,
    }
    _signal(spine, made.operation_id, "confirm", claim)
    spine.succeeded(made)
    return _ids(made)


@scenario
def a_database_is_kept_through_a_failure_and_released_at_the_end(spine: Spine) -> list[str]:
    """Steps of the deployment beside those of its instances: waiting, failing, done."""
    made = spine.create(database={"mode": "dedicated"}, simulate={"create": {"fault": "invalid"}})
    failed = spine.failed(made)
    again = spine.retry(failed.id)
    spine.succeeded(again)
    server = spine.instance(made.deployment_id).db_server_id
    spine.fault("delete", "invalid", instance=str(server))
    gone = spine.delete(made.deployment_id)
    spine.failed(gone)
    last = spine.retry(gone.operation_id)
    spine.succeeded(last)
    return _ids(made, again, gone, last)


@scenario
def a_database_is_still_being_made_when_its_create_is_cancelled(spine: Spine) -> list[str]:
    """Cancel between two attempts of a step beside."""
    spine.fault("create", "hang", instance="held-db")
    made = spine.create("held", database={"mode": "dedicated"})
    spine.wait_operation(made, lambda row: bool(spine.steps(row.id)[1].attempts))
    spine.cancel(made.operation_id)
    spine.cancelled(made)
    spine.succeeded(spine.delete(made.deployment_id))
    return _ids(made)


@scenario
def a_suspension_is_lifted_and_one_fails(spine: Spine) -> list[str]:
    """The types of holds: suspend, unsuspend, a suspension that fails, an unsuspension that is cancelled."""
    made = spine.create_done(members=2)
    first, _ = spine.instances(made.deployment_id)
    spine.fault("stop", "invalid", instance=first.id)
    failed = suspended(spine, made.deployment_id)
    spine.failed(failed)
    again = suspended(spine, made.deployment_id)
    spine.succeeded(again)
    spine.fault("start", "hang", instance=first.id)
    cancelled = unsuspended(spine, made.deployment_id)
    spine.wait_call(made.deployment_id, "start")
    spine.cancel(cancelled.operation_id)
    spine.cancelled(cancelled)
    last = unsuspended(spine, made.deployment_id)
    spine.succeeded(last)
    return _ids(failed, again, cancelled, last)


@scenario
def a_delete_pre_empts_a_hanging_create(spine: Spine) -> list[str]:
    """Two runs of one workflow id, one after the other."""
    made = spine.create(simulate={"create": {"fault": "hang", "seconds": 60}})
    spine.wait_call(made.deployment_id, "create")
    gone = spine.delete(made.deployment_id)
    spine.succeeded(gone)
    return _ids(made, gone)

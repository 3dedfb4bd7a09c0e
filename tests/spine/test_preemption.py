"""Delete is always possible: it takes the deployment away from whatever holds it, and nothing is left behind."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from domain.errors import OperationInProgress
from domain.lifecycle import Operation
from domain.operations import OperationStatus
from domain.specs import Accepted
from tests.support.spine import Spine
from tests.support.spines import MakeSpine
from tests.support.workers import wait_for

pytestmark = pytest.mark.servers
_SECONDS = 12.0


def ends_pre_empted(spine: Spine, taken: Accepted, by: Accepted) -> None:
    """The delete succeeds; what it pre-empted is cancelled and names it; nothing of the deployment remains."""
    spine.succeeded(by, seconds=_SECONDS)
    before = spine.operation(taken.operation_id)
    assert (before.status, before.pre_empted_by) == (OperationStatus.CANCELLED, by.operation_id)
    assert spine.instances(taken.deployment_id) == []
    assert spine.inventory(taken.deployment_id) == []


@pytest.mark.parametrize("fault", ["hang", "unconfirmed"])
def test_a_delete_takes_over_from_a_create_that_does_not_end(spine: Spine, fault: str) -> None:
    made = spine.create(simulate={"create": {"fault": fault, "seconds": 60}})
    spine.wait_call(made.deployment_id, "create")
    ends_pre_empted(spine, made, spine.delete(made.deployment_id))


@pytest.mark.parametrize("verb", ["stop", "restart", "modify"])
def test_a_delete_takes_over_from_a_change_that_hangs(spine: Spine, verb: str) -> None:
    made = spine.create_done(members=2, greeting="one")
    spine.fault(verb, "hang", instance=spine.instances(made.deployment_id)[1].id)
    if verb == "modify":
        asked = spine.modify(made.deployment_id, members=2, greeting="two")
        spine.wait_call(made.deployment_id, verb, times=2)
    else:
        asked = spine.act(Operation(verb), made.deployment_id)
        spine.wait_call(made.deployment_id, verb, times=2)
    ends_pre_empted(spine, asked, spine.delete(made.deployment_id))
    assert len(spine.runs(made.deployment_id)) == 2


def test_a_delete_takes_over_from_a_pending_create(make_spine: MakeSpine) -> None:
    spine = make_spine()
    made = spine.create()
    gone = spine.delete(made.deployment_id)
    assert spine.operation(made.operation_id).status is OperationStatus.CANCELLED, (
        "what has not begun ends at once"
    )
    spine.start_worker()
    ends_pre_empted(spine, made, gone)


def test_a_delete_of_one_member_takes_over_and_the_others_stay(spine: Spine) -> None:
    made = spine.create_done(members=3)
    first, second, third = spine.instances(made.deployment_id)
    spine.fault("restart", "hang", instance=third.id)
    asked = spine.act(Operation.RESTART, made.deployment_id)
    spine.wait_call(made.deployment_id, "restart", times=3)
    spine.succeeded(spine.delete(made.deployment_id, third.id), seconds=_SECONDS)
    assert spine.operation(asked.operation_id).status is OperationStatus.CANCELLED
    assert [row.id for row in spine.instances(made.deployment_id)] == [first.id, second.id]
    assert {row.status.value for row in spine.instances(made.deployment_id)} == {"running"}


def test_a_delete_takes_over_from_a_scale_in_that_hangs(spine: Spine) -> None:
    made = spine.create_done(members=2)
    spine.fault("delete", "hang", instance=spine.instances(made.deployment_id)[1].id)
    asked = spine.modify(made.deployment_id, members=1)
    spine.wait_call(made.deployment_id, "delete")
    ends_pre_empted(spine, asked, spine.delete(made.deployment_id))


def test_a_delete_of_a_member_that_has_just_gone_has_nothing_left_to_do(make_spine: MakeSpine) -> None:
    """A scale-in has removed it and only its worker's death hides that: the cancel comes too late to change it."""
    spine = make_spine()
    worker = spine.launch_worker(module="tests.support.faulty_worker")
    made = spine.create_done(members=2)
    first, second = spine.instances(made.deployment_id)
    os.kill(worker.pid, signal.SIGSTOP)  # it would start the next one at once
    (spine.folder / "fault.json").write_text(json.dumps({"activity": "delete_instance", "how": "kill after"}))
    asked = spine.modify(made.deployment_id, members=1)
    wait_for(lambda: _child_is_dead(worker.pid), 30, "it did not die")
    worker.kill()
    gone = spine.delete(made.deployment_id, second.id)
    assert spine.operation(asked.operation_id).pre_empted_by == gone.operation_id
    spine.start_worker()
    spine.succeeded(gone, seconds=_SECONDS)
    assert spine.operation(asked.operation_id).status is OperationStatus.SUCCEEDED
    assert [row.id for row in spine.instances(made.deployment_id)] == [first.id]
    assert len(spine.runs(made.deployment_id)) == 1


def _child_is_dead(parent: int) -> bool:
    (child,) = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    return Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[0] == "Z"


def test_nothing_else_gets_in_between(spine: Spine) -> None:
    made = spine.create(simulate={"create": {"fault": "hang"}})
    spine.wait_call(made.deployment_id, "create")
    gone = spine.delete(made.deployment_id)
    with pytest.raises(OperationInProgress):
        spine.act(Operation.START, made.deployment_id)
    assert spine.delete(made.deployment_id).operation_id == gone.operation_id
    ends_pre_empted(spine, made, gone)


def test_a_delete_after_a_failure_closes_the_listener(spine: Spine) -> None:
    made = spine.create(simulate={"create": {"fault": "invalid"}})
    failed = spine.failed(made)
    assert failed.parked_until is not None
    spine.succeeded(spine.delete(made.deployment_id))
    spine.wait_operation(failed.id, lambda row: row.parked_until is None)

"""Every operation from acceptance to its end on the simulated provider: records, events, durations, calls."""

from __future__ import annotations

from itertools import pairwise

import pytest
from sqlalchemy import select

from db.models import Deployment
from domain.lifecycle import Operation, ProvisioningStatus, Status
from domain.operations import StepStatus
from tests.support.spine import NEVER, Spine

pytestmark = pytest.mark.servers


def test_a_create_ends_running_with_its_spec_applied_and_its_duration_measured(spine: Spine) -> None:
    made = spine.create(greeting="hi")
    assert spine.instance(made.deployment_id).status is Status.CREATING, "a read after the write finds it"
    operation = spine.succeeded(made)
    row = spine.instance(made.deployment_id)
    assert (row.status, row.provisioning_status) == (Status.RUNNING, ProvisioningStatus.COMPLETED)
    assert row.applied_spec == {"params": {"greeting": "hi"}, "resources": {}}
    assert row.endpoint == f"simulated://{row.name}"
    assert row.launch_requested_at is not None
    assert row.launch_confirmed_at is not None
    elapsed = (row.launch_confirmed_at - row.launch_requested_at).total_seconds()
    assert row.launch_duration_seconds == pytest.approx(elapsed, abs=0.05)
    assert operation.finished_at is not None
    assert operation.started_at is not None
    assert operation.created_at <= operation.started_at <= operation.finished_at
    assert (operation.changed, operation.phase, operation.error) == (True, "done", None)
    assert [step.status for step in spine.steps(operation.id)] == [StepStatus.DONE] * 3
    assert spine.event_types(operation.id) == [
        "LAUNCH_REQUESTED",
        "LAUNCH_PLANNED",
        "LAUNCH_CONFIRMED",
        "OPERATION_SUCCEEDED",
    ]


@pytest.mark.parametrize(
    ("operation", "before", "event", "end"),
    [
        (Operation.STOP, None, "STOP", Status.STOPPED),
        (Operation.START, Operation.STOP, "START", Status.RUNNING),
        (Operation.RESTART, None, "RESTART", Status.RUNNING),
    ],
)
def test_an_action_shows_its_planned_state_and_ends_where_the_table_says(
    spine: Spine, operation: Operation, before: Operation | None, event: str, end: Status
) -> None:
    made = spine.create_done()
    if before is not None:
        spine.succeeded(spine.act(before, made.deployment_id))
    version = spine.instance(made.deployment_id).version
    done = spine.succeeded(spine.act(operation, made.deployment_id))
    row = spine.instance(made.deployment_id)
    assert row.status is end
    assert row.version > version
    assert spine.calls(row.id)[operation.value] == 1
    changes = [(e.event_type, e.from_status, e.to_status) for e in spine.events(done.id)]
    assert [name for name, _, _ in changes] == [
        f"{event}_REQUESTED",
        f"{event}_PLANNED",
        f"{event}_CONFIRMED",
        "OPERATION_SUCCEEDED",
    ]
    assert changes[1][2] == changes[2][1], "the planned state is what the confirmation ends"
    assert changes[2][2] == end


def test_a_modify_applies_the_new_spec_and_only_that(spine: Spine) -> None:
    made = spine.create_done(greeting="one")
    done = spine.succeeded(spine.modify(made.deployment_id, greeting="two"))
    row = spine.instance(made.deployment_id)
    assert (row.status, row.applied_spec) == (Status.RUNNING, {"params": {"greeting": "two"}, "resources": {}})
    assert spine.calls(row.id) == {"create": 1, "modify": 1}
    assert "MODIFY_CONFIRMED" in spine.event_types(done.id)


def test_a_stopped_instance_is_modified_and_stays_stopped(spine: Spine) -> None:
    made = spine.create_done(greeting="one")
    spine.succeeded(spine.act(Operation.STOP, made.deployment_id))
    spine.succeeded(spine.modify(made.deployment_id, greeting="two"))
    row = spine.instance(made.deployment_id)
    assert (row.status, row.applied_spec) == (Status.STOPPED, {"params": {"greeting": "two"}, "resources": {}})


def test_the_same_spec_again_changes_nothing_and_calls_nobody(spine: Spine) -> None:
    made = spine.create_done(greeting="same")
    before = spine.instance(made.deployment_id)
    calls = spine.calls(before.id)
    done = spine.succeeded(spine.modify(made.deployment_id, greeting="same"))
    after = spine.instance(made.deployment_id)
    assert done.changed is False
    assert (after.version, after.status) == (before.version, Status.RUNNING)
    assert spine.calls(before.id) == calls
    assert spine.event_types(done.id) == []


def test_a_delete_leaves_a_finished_life_and_nothing_else(spine: Spine) -> None:
    made = spine.create_done()
    row = spine.instance(made.deployment_id)
    done = spine.succeeded(spine.delete(made.deployment_id))
    assert spine.instances(made.deployment_id) == []
    assert spine.inventory(made.deployment_id) == []
    (life,) = spine.runs(made.deployment_id)
    assert (life.instance_id, life.name, life.operation_id) == (row.id, row.name, done.id)
    assert life.launch_duration_seconds == row.launch_duration_seconds
    assert life.termination_duration_seconds is not None
    assert life.total_runtime_seconds is not None
    assert 0 <= life.termination_duration_seconds <= life.total_runtime_seconds
    assert (life.termination_reason, life.confirmation_method) == ("manual", "provider_poll")
    assert spine.event_types(done.id) == [
        "TERMINATE_REQUESTED",
        "TERMINATE_PLANNED",
        "TERMINATE_CONFIRMED",
        "OPERATION_SUCCEEDED",
    ]
    assert spine.create_done(row.name).deployment_id != made.deployment_id, "the name is free again"


def test_a_second_delete_is_the_first_one(spine: Spine) -> None:
    made = spine.create_done()
    spine.fault("delete", "slow", seconds=0.5, instance=spine.instance(made.deployment_id).id)
    first = spine.delete(made.deployment_id)
    assert spine.delete(made.deployment_id).operation_id == first.operation_id
    spine.succeeded(first)


def test_planned_states_are_written_for_exactly_the_touched_before_any_call(spine: Spine) -> None:
    made = spine.create_done(members=3)
    first, second, third = spine.instances(made.deployment_id)
    spine.fault("stop", "unconfirmed", seconds=NEVER, instance=second.id)
    done = spine.act(Operation.STOP, made.deployment_id, second.id)
    spine.wait_call(made.deployment_id, "stop")
    statuses = {row.id: row.status for row in spine.instances(made.deployment_id)}
    assert statuses == {first.id: Status.RUNNING, second.id: Status.STOPPING, third.id: Status.RUNNING}
    spine.wait_call(made.deployment_id, "observe")
    spine.settles(made.deployment_id)
    spine.succeeded(done)
    untouched = [row for row in spine.instances(made.deployment_id) if row.id != second.id]
    assert [row.version for row in untouched] == [first.version, third.version]


def test_a_rolling_modify_keeps_all_but_the_current_one_serving(spine: Spine) -> None:
    made = spine.create_done(members=3, greeting="one")
    spine.fault("modify", "slow", times=1, seconds=0.3)
    done = spine.modify(made.deployment_id, members=3, greeting="two")
    busy: list[frozenset[str]] = []
    while not spine.operation(done.operation_id).status.done:
        now = frozenset(r.name for r in spine.instances(made.deployment_id) if r.status is Status.MODIFYING)
        if not busy or busy[-1] != now:
            busy.append(now)
    spine.succeeded(done)
    assert all(len(names) <= 1 for names in busy), busy
    moments = [(e.instance_id, e.event_type) for e in spine.events(done.operation_id) if e.instance_id]
    planned = [moments.index((row.id, "MODIFY_PLANNED")) for row in spine.instances(made.deployment_id)]
    confirmed = [moments.index((row.id, "MODIFY_CONFIRMED")) for row in spine.instances(made.deployment_id)]
    assert planned == sorted(planned)
    for (_, ended), (begun, _) in pairwise(zip(planned, confirmed, strict=True)):
        assert ended < begun, "the next one is planned only after the one before was confirmed"


def test_members_go_from_three_to_two_and_back_with_the_highest_number_going(spine: Spine) -> None:
    made = spine.create_done(members=3)
    first, second, third = spine.instances(made.deployment_id)
    assert [first.name, second.name, third.name] == [first.name, f"{first.name}-2", f"{first.name}-3"]
    spine.succeeded(spine.modify(made.deployment_id, members=2))
    assert [row.id for row in spine.instances(made.deployment_id)] == [first.id, second.id]
    assert [life.instance_id for life in spine.runs(made.deployment_id)] == [third.id]
    spine.succeeded(spine.modify(made.deployment_id, members=3))
    names = [row.name for row in spine.instances(made.deployment_id)]
    assert names == [first.name, second.name, third.name]
    fourth = spine.instances(made.deployment_id)[2]
    assert fourth.id != third.id, "an instance id is never used again"
    assert [spine.calls(row.id) for row in (first, second)] == [{"create": 1}, {"create": 1}]


def test_deleting_one_member_lowers_the_wanted_number_and_deleting_the_last_deletes_all(spine: Spine) -> None:
    made = spine.create_done(members=2)
    first, second = spine.instances(made.deployment_id)
    spine.succeeded(spine.delete(made.deployment_id, first.id))
    assert [row.id for row in spine.instances(made.deployment_id)] == [second.id]
    assert spine.succeeded(spine.modify(made.deployment_id, members=1)).changed is False
    spine.succeeded(spine.delete(made.deployment_id, second.id))
    assert len(spine.runs(made.deployment_id)) == 2
    assert spine.rows(select(Deployment).where(Deployment.id == made.deployment_id)) == []


def test_the_next_action_is_accepted_the_moment_the_last_one_has_succeeded(spine: Spine) -> None:
    made = spine.create_done()
    for turn in range(20):
        operation = Operation.STOP if turn % 2 == 0 else Operation.START
        spine.succeeded(spine.act(operation, made.deployment_id), seconds=10)

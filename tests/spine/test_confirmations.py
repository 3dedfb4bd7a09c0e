"""Evidence from outside: stored once, verified with the provider, the first one wins and is recorded as such."""

from __future__ import annotations

import json
import time

import pytest

from db.session import CHANNEL_OPERATIONS
from domain.errors import InvalidInput, NotFound, OperationNotAllowed
from domain.lifecycle import Status
from domain.limits import PARALLEL_INSTANCES
from domain.operations import Source
from domain.specs import Accepted, Caller
from services.confirmations import record_confirmation
from tests.support.patience import busy
from tests.support.spine import Spine
from tests.support.spines import MakeSpine

pytestmark = pytest.mark.servers
AGENT = Caller("agent-7", source=Source.AGENT)


def accepted_create(spine: Spine, seconds: float = 1.5) -> Accepted:
    """A create that the provider has accepted and will show only later."""
    made = spine.create(simulate={"create": {"fault": "unconfirmed", "seconds": seconds}})
    spine.wait_operation(made, lambda row: "LAUNCH_ACCEPTED" in spine.event_types(row.id))
    return made


def claim(spine: Spine, made: Accepted, caller: Caller, kind: str = "launched", generation: int = 1) -> bool:
    row = spine.instance(made.deployment_id)
    return spine.write(lambda tx: record_confirmation(tx, caller, made.operation_id, row.id, kind, generation))


def signal(spine: Spine, made: Accepted, **claim: object) -> None:
    operation = spine.operation(made.operation_id)
    given = {"operation_id": operation.id, "instance_id": operation.instance_ids[0], "kind": "launched"} | claim
    words = ["--workflow-id", operation.workflow_id, "--name", "confirm", "--input", json.dumps(given)]
    spine.temporal.cli(spine.namespace, "workflow", "signal", *words)


def evidence(spine: Spine, made: Accepted) -> tuple[str, str | None]:
    (event,) = [e for e in spine.events(made.operation_id) if e.event_type == "LAUNCH_CONFIRMED"]
    return event.source, event.confirmation_method


def shown_create(make_spine: MakeSpine) -> tuple[Spine, Accepted]:
    """A create that the provider shows already, while the poll's next turn is far away."""
    spine = make_spine(BERTH_SIMULATED_POLL_SECONDS="30")
    spine.start_worker()
    made = accepted_create(spine, seconds=0.8)
    spine.wait_call(made.deployment_id, "observe")
    time.sleep(1.0)
    assert spine.instance(made.deployment_id).status is Status.CREATING
    return spine, made


def test_a_word_that_the_provider_does_not_bear_out_changes_nothing_and_earns_nothing(spine: Spine) -> None:
    made = accepted_create(spine)
    assert claim(spine, made, AGENT) is True
    assert spine.instance(made.deployment_id).status is Status.CREATING
    spine.succeeded(made)
    assert evidence(spine, made) == ("backend", "provider_poll")


def test_a_word_that_could_not_be_checked_is_checked_by_the_next_look(make_spine: MakeSpine) -> None:
    spine, made = shown_create(make_spine)
    spine.fault("observe", "error", instance=spine.instance(made.deployment_id).id)
    before = spine.calls(spine.instance(made.deployment_id).id)["observe"]
    claim(spine, made, AGENT)
    spine.wait_call(made.deployment_id, "observe", before + 1)
    assert spine.instance(made.deployment_id).status is Status.CREATING
    spine.write(lambda tx: tx.wake(CHANNEL_OPERATIONS, made.operation_id))
    spine.succeeded(made, seconds=5)
    assert evidence(spine, made) == ("agent", "external")


def test_a_word_that_the_provider_bears_out_is_the_evidence(make_spine: MakeSpine) -> None:
    spine, made = shown_create(make_spine)
    assert claim(spine, made, AGENT) is True
    spine.succeeded(made, seconds=5)
    assert evidence(spine, made) == ("agent", "external")
    assert spine.event_types(made.operation_id).count("LAUNCH_CONFIRMED") == 1


def test_a_repeated_claim_is_stored_once(spine: Spine) -> None:
    made = accepted_create(spine)
    assert claim(spine, made, AGENT) is True
    assert claim(spine, made, AGENT) is False
    assert claim(spine, made, Caller("other", source=Source.EXTERNAL)) is False
    signal(spine, made, generation=1)
    spine.succeeded(made)


def test_a_confirm_signal_is_evidence_too(make_spine: MakeSpine) -> None:
    spine, made = shown_create(make_spine)
    signal(spine, made, generation=1)
    spine.succeeded(made, seconds=5)
    assert evidence(spine, made) == ("external", "external")


@pytest.mark.parametrize(
    "wrong",
    [
        {"operation_id": "op_of_somebody_else", "generation": 1},
        {"instance_id": "ins_of_somebody_else", "generation": 1},
        {"generation": 2},
        {"generation": "many"},
        {"generation": None},
        {"kind": "terminated", "generation": 1},
        {"kind": 7, "generation": 1},
    ],
)
def test_a_confirm_signal_about_something_else_or_out_of_form_is_ignored(
    spine: Spine, wrong: dict[str, object]
) -> None:
    made = accepted_create(spine, seconds=0.8)
    signal(spine, made, **wrong)
    spine.succeeded(made)
    assert evidence(spine, made) == ("backend", "provider_poll")


def test_a_signal_that_is_no_object_at_all_is_ignored(spine: Spine) -> None:
    made = accepted_create(spine, seconds=0.8)
    workflow_id = spine.operation(made.operation_id).workflow_id
    for name in ("confirm", "retry", "abort", "unheard-of"):
        words = ["--workflow-id", workflow_id, "--name", name, "--input", "[1, 2]"]
        spine.temporal.cli(spine.namespace, "workflow", "signal", *words)
    spine.succeeded(made)


def test_a_confirmation_must_name_operation_instance_kind_and_generation(spine: Spine) -> None:
    made = accepted_create(spine)
    with pytest.raises(InvalidInput, match="generation: the object is at generation 1"):
        claim(spine, made, AGENT, generation=2)
    with pytest.raises(InvalidInput, match="kind: is not one of launched, stopped, terminated, promoted"):
        claim(spine, made, AGENT, kind="born")
    with pytest.raises(InvalidInput, match="kind: create is confirmed by launched"):
        claim(spine, made, AGENT, kind="terminated")
    with pytest.raises(NotFound):
        spine.write(lambda tx: record_confirmation(tx, AGENT, made.operation_id, "ins_other", "launched", 1))
    spine.succeeded(made)
    with pytest.raises(OperationNotAllowed, match="is succeeded"):
        claim(spine, made, AGENT)


def test_a_termination_is_confirmed_with_its_source_and_goes_to_history(make_spine: MakeSpine) -> None:
    spine = make_spine(BERTH_SIMULATED_POLL_SECONDS="30")
    spine.start_worker()
    made = spine.create_done()
    row = spine.instance(made.deployment_id)
    spine.fault("delete", "unconfirmed", seconds=1.0, instance=row.id)
    gone = spine.delete(made.deployment_id)
    spine.wait_operation(gone, lambda op: "TERMINATE_ACCEPTED" in spine.event_types(op.id))
    time.sleep(1.2)
    spine.write(lambda tx: record_confirmation(tx, AGENT, gone.operation_id, row.id, "terminated", 1))
    spine.succeeded(gone, seconds=5)
    (life,) = spine.runs(made.deployment_id)
    assert life.confirmation_method == "external"
    assert life.termination_confirmed_at is not None


def test_a_claim_is_looked_at_at_once_and_not_at_the_polls_next_turn(make_spine: MakeSpine) -> None:
    spine = make_spine(BERTH_SIMULATED_POLL_SECONDS="30")
    spine.start_worker()
    made = accepted_create(spine, seconds=1.0)
    spine.wait_call(made.deployment_id, "observe")
    with pytest.raises(AssertionError, match="did not get there"):
        spine.wait_done(made, seconds=1.5)
    claim(spine, made, AGENT)
    spine.succeeded(made, seconds=2)
    assert evidence(spine, made) == ("agent", "external")


def test_a_cancel_is_heard_at_once_and_not_at_the_polls_next_turn(make_spine: MakeSpine) -> None:
    spine = make_spine(BERTH_SIMULATED_POLL_SECONDS="30")
    spine.start_worker()
    made = accepted_create(spine, seconds=60)
    spine.wait_call(made.deployment_id, "observe")
    spine.cancel(made.operation_id)
    spine.cancelled(made, seconds=8)


def test_a_poll_goes_on_in_another_worker_when_its_own_is_killed(make_spine: MakeSpine) -> None:
    spine = make_spine()
    first = spine.start_worker()
    made = accepted_create(spine, seconds=3.0)
    spine.wait_call(made.deployment_id, "observe")
    first.kill()
    spine.start_worker()
    spine.succeeded(made, seconds=40)
    spine.invariants()


def test_a_claim_is_heard_again_after_the_listening_connection_was_lost(make_spine: MakeSpine) -> None:
    spine = make_spine(BERTH_SIMULATED_POLL_SECONDS="60")
    spine.start_worker()
    made = accepted_create(spine, seconds=0.5)
    spine.wait_call(made.deployment_id, "observe")
    spine.end_connection("berth-worker-wakes")
    claim(spine, made, AGENT)
    spine.succeeded(made, seconds=4)


def test_a_claim_decides_alone_only_where_the_provider_could_never_be_asked(spine: Spine) -> None:
    made = spine.create(
        simulate={"create": {"fault": "unconfirmed", "seconds": 60}, "observe": {"fault": "error", "times": -1}},
        timeouts={"launch_seconds": 4},
    )
    spine.wait_operation(made, lambda row: "LAUNCH_ACCEPTED" in spine.event_types(row.id))
    claim(spine, made, AGENT)
    spine.succeeded(made)
    (event,) = [e for e in spine.events(made.operation_id) if e.event_type == "LAUNCH_CONFIRMED"]
    assert event.data["verified"] is False
    assert (event.source, event.confirmation_method) == ("agent", "external")
    spine.provider.clear_faults()
    spine.succeeded(spine.delete(made.deployment_id))


def test_a_termination_is_never_taken_on_anybodys_word(spine: Spine) -> None:
    made = spine.create_done(timeouts={"termination_seconds": 3})
    row = spine.instance(made.deployment_id)
    spine.fault("delete", "unconfirmed", seconds=60, instance=row.id)
    spine.fault("observe", "error", times=-1, instance=row.id)
    gone = spine.delete(made.deployment_id)
    spine.wait_operation(gone, lambda op: "TERMINATE_ACCEPTED" in spine.event_types(op.id))
    spine.write(lambda tx: record_confirmation(tx, AGENT, gone.operation_id, row.id, "terminated", 1))
    failed = spine.failed(gone)
    assert failed.error is not None
    assert "was not gone within 3 s" in failed.error["message"]
    spine.provider.clear_faults()
    spine.fault("delete", "gone", instance=row.id)
    spine.succeeded(spine.retry(failed.id))


def test_an_absence_that_may_be_wrong_ends_no_delete(make_spine: MakeSpine) -> None:
    spine = make_spine(BERTH_SIMULATED_CONSISTENCY_SECONDS="2")
    spine.start_worker()
    made = spine.create_done()
    row = spine.instance(made.deployment_id)
    spine.fault("delete", "unconfirmed", seconds=3, instance=row.id)
    spine.fault("observe", "unseen", times=2, instance=row.id)
    gone = spine.delete(made.deployment_id)
    spine.succeeded(gone)
    (life,) = spine.runs(made.deployment_id)
    assert life.termination_duration_seconds is not None
    assert life.termination_duration_seconds >= 3, "it was taken for gone while it was still there"


def test_a_clean_up_waits_for_the_proof_and_the_next_object_is_another_one(spine: Spine) -> None:
    made = spine.create(simulate={"create": {"fault": "unconfirmed", "seconds": 60}})
    row = spine.instance(made.deployment_id)
    spine.wait_call(made.deployment_id, "create")
    spine.fault("delete", "unconfirmed", seconds=1.5, instance=row.id)
    spine.cancel(made.operation_id)
    spine.cancelled(made)
    assert spine.inventory(made.deployment_id) == []
    assert spine.instance(made.deployment_id).object_generation == 2
    spine.fault("create", "slow", seconds=0, instance=row.id)
    spine.succeeded(spine.retry(made.operation_id))
    (item,) = spine.inventory(made.deployment_id)
    assert item.generation == 2


def test_an_object_that_is_gone_for_good_is_followed_by_one_of_the_next_generation(spine: Spine) -> None:
    made = spine.create(simulate={"create": {"fault": "used_up", "times": 2}})
    spine.succeeded(made)
    (item,) = spine.inventory(made.deployment_id)
    assert (item.generation, spine.instance(made.deployment_id).object_generation) == (3, 3)
    told = [
        event.data["generation"] for event in spine.events(made.operation_id) if "REPLACED" in event.event_type
    ]
    assert told == [2, 3]
    (step,) = [step for step in spine.steps(made.operation_id) if step.name == "create"]
    assert len(step.attempts) == 1


def test_members_that_wait_for_their_confirmation_hold_up_no_sibling(spine: Spine) -> None:
    """More members than are acted on at once: all are asked for before the first is there."""
    members = PARALLEL_INSTANCES + 5
    made = spine.create(members=members, simulate={"create": {"fault": "unconfirmed", "seconds": 10}})
    spine.succeeded(made, seconds=40)
    order = [t for t in spine.event_types(made.operation_id) if t in {"LAUNCH_ACCEPTED", "LAUNCH_CONFIRMED"}]
    assert order == ["LAUNCH_ACCEPTED"] * members + ["LAUNCH_CONFIRMED"] * members


def test_a_hundred_polls_hold_up_no_command(make_spine: MakeSpine) -> None:
    spine = make_spine(BERTH_SIMULATED_POLL_SECONDS="5")
    spine.start_worker()
    waiting = [spine.create(simulate={"create": {"fault": "unconfirmed", "seconds": 20}}) for _ in range(100)]
    for made in waiting:
        spine.wait_operation(made, lambda row: "LAUNCH_ACCEPTED" in spine.event_types(row.id), seconds=60)
    begun = time.monotonic()
    spine.create_done()
    assert time.monotonic() - begun < 3 * busy()
    for made in waiting:
        spine.succeeded(made, seconds=90)
    assert all(spine.calls(spine.instance(made.deployment_id).id)["create"] == 1 for made in waiting)
    spine.invariants()
